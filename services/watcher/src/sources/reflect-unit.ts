import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector } from "@rollcast/kube/reflector";
import type { WatcherContext } from "../context.ts";
import { SOURCE_TYPES, narrowResource } from "../model/scope.ts";
import { keyPrefix } from "./list-pass.ts";
import { countReflectorEvent } from "../metrics.ts";
import type { DataUnit } from "../model/scope.ts";
import { sourceHandler } from "./source-handler.ts";

export type UnitReflector = NamedReflector & {
  readonly unit: DataUnit;
  readonly reflector: Reflector;
};

/** Starts a reflector for a unit of ConfigMaps or Secrets; it runs until `intake` fires. */
export function reflectUnit(
  context: WatcherContext,
  unit: DataUnit,
  intake: AbortSignal,
): UnitReflector {
  const { client, logger, metrics, scope, config, times } = context;
  const { namespace } = unit;
  const type = SOURCE_TYPES[unit.kind];
  const resource = narrowResource(type.resource, config.scope, { namespace, byLabels: true });
  const reflector = startReflector({
    client,
    resource,
    transform: (object) =>
      scope.reads(object.metadata.namespace ?? "") ? type.transform(context, object) : undefined,
    handler: sourceHandler(context, unit),
    logger,
    signal: intake,
    times,
    observe: (event) => countReflectorEvent(metrics, resource.plural, event),
  });
  const name = namespace === undefined ? unit.kind : `${unit.kind} in ${namespace}`;
  return { unit, name, resource: resource.plural, reflector };
}

/** Relists the unit that contains a key. */
export function relist(
  context: WatcherContext,
  unitReflectors: readonly UnitReflector[],
  key: string,
  message: string,
) {
  const match = unitReflectors.find(({ unit }) =>
    key.startsWith(keyPrefix(context.config.cluster, unit)),
  );
  match?.reflector.relist(message);
}

/** A reflector with the plural of its resource; `name` identifies it in health checks. */
export type NamedReflector = {
  readonly name: string;
  readonly resource: string;
  readonly reflector: Pick<Reflector, "fault" | "staleness">;
};
