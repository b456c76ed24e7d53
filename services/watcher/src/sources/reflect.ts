import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector } from "@rollcast/kube/reflector";
import type { WatcherContext } from "../context.ts";
import { SOURCE_TYPES, narrowResource } from "../model/source-kinds.ts";
import { keyPrefix } from "./list-pass.ts";
import { observe } from "../metrics.ts";
import type { DataUnit } from "../model/scope.ts";
import { sourceHandler } from "./source-handler.ts";

export type UnitReflector = NamedReflector & {
  readonly unit: DataUnit;
  readonly reflector: Reflector;
};

/** Follows a unit of ConfigMaps or Secrets until `intake` fires. */
export function reflect(
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
    observe: (event) => observe(metrics, resource.plural, event),
  });
  const name = namespace === undefined ? unit.kind : `${unit.kind} in ${namespace}`;
  return { unit, name, resource: resource.plural, reflector };
}

/** Lists the unit anew that holds a key. */
export function relist(
  context: WatcherContext,
  reflected: readonly UnitReflector[],
  key: string,
  reason: string,
) {
  const match = reflected.find(({ unit }) =>
    key.startsWith(keyPrefix(context.config.cluster, unit)),
  );
  match?.reflector.relist(reason);
}

/** Something that follows the API server, by the plural of its resource; `name` tells it from others in health checks. */
export type NamedReflector = {
  readonly name: string;
  readonly resource: string;
  readonly reflector: Pick<Reflector, "fault" | "staleness">;
};
