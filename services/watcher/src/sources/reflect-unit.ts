import { apiPath } from "@rollcast/kube/api-path";
import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector } from "@rollcast/kube/reflector";
import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import { PARTIAL_LIST } from "@rollcast/kube/resource";
import { parseRecordKey, recordKey } from "@rollcast/shared/subjects";
import type { Context } from "../context.ts";
import { countReflectorEvent } from "../metrics.ts";
import { SOURCE_TYPES, narrowResource } from "../model/scope.ts";
import type { DataUnit } from "../model/scope.ts";
import type { DeletedSource, Observation, ObservedSource } from "../model/transform.ts";
import { keyPrefix, startListPass } from "./list-pass.ts";
import type { ListPass } from "./list-pass.ts";
import type { NamedReflector } from "../model/named-reflector.ts";

type UnitReflector = NamedReflector & {
  readonly unit: DataUnit;
  readonly reflector: Reflector;
};

type Existing = { items?: readonly { metadata?: { uid?: string } }[] };

/**
 * The uid of an object whatever its labels, read from a list of metadata; undefined if there is
 * none.
 */
async function uidOf(
  { client, signal }: Context,
  kind: DataUnit["kind"],
  namespace: string,
  name: string,
): Promise<string | undefined> {
  const { resource } = SOURCE_TYPES[kind];
  const list = await client.request<Existing>({
    method: "GET",
    path: apiPath(resource, namespace),
    query: { fieldSelector: `metadata.name=${name}` },
    accept: `application/json;${PARTIAL_LIST}`,
    signal,
  });
  return list.items?.[0]?.metadata?.uid;
}

/**
 * Handles the objects of a unit of ConfigMaps or Secrets and records them. An ignored object
 * arrives as undefined.
 */
export function sourceHandler(
  context: Context,
  unit: DataUnit,
): ReflectorHandler<ObservedSource | undefined> {
  const { cache, pool, scope, coverage, recorder } = context;
  const { cluster } = context.config;
  const selective = context.config.scope.resourceSelector !== "";
  let pass: ListPass | undefined;

  /** A source that is no longer listed was deleted, or has lost the selected labels. */
  const vanished = async (
    key: string,
    what: DeletedSource,
    name: [string, string],
    at: Observation,
  ) => {
    const uid = selective ? await uidOf(context, unit.kind, ...name) : undefined;
    if (uid !== undefined && (what.uid === undefined || what.uid === uid)) {
      await recorder.forget(key);
    } else await recorder.recordDeleted(key, what, at);
  };

  return {
    listStarted() {
      pass = startListPass(context, unit);
    },
    listing({ resourceVersion }) {
      pass?.begun(resourceVersion);
    },
    async upsert(observed, origin) {
      if (observed === undefined || !(await scope.whenInScope(observed.namespace))) return;
      if (origin === "list") pass?.missing.delete(recordKey(cluster, observed));
      const restored = origin === "list" && pass?.restored() === true;
      await recorder.recordObserved(observed, { origin, restored });
    },
    async removed(observed) {
      if (observed === undefined || !(await scope.whenInScope(observed.namespace))) return;
      const { uid, resourceVersion, namespace, name } = observed;
      const at: Observation = { origin: "watch", restored: false };
      await vanished(recordKey(cluster, observed), { uid, resourceVersion }, [namespace, name], at);
    },
    async listed({ resourceVersion }) {
      const restored = pass?.restored() === true;
      for (const key of pass?.missing ?? []) {
        const entry = cache.get(key);
        const ref = parseRecordKey(key);
        if (entry === undefined || ref === undefined) continue;
        if (entry.deletedAt !== undefined && !restored) continue;
        const at: Observation = { origin: "list", restored };
        await vanished(key, { resourceVersion }, [ref.namespace, ref.name], at);
      }
      pass = undefined;
      await pool.drain();
      await coverage.add(scope.covered(unit), Date.now());
    },
  };
}

/** Starts a reflector for a unit of ConfigMaps or Secrets; it runs until `intake` fires. */
export function reflectUnit(context: Context, unit: DataUnit, intake: AbortSignal): UnitReflector {
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

/** Relists the units that contain these keys. */
export function relist(
  context: Context,
  unitReflectors: readonly UnitReflector[],
  keys: readonly string[],
  message: string,
) {
  for (const { unit, reflector } of unitReflectors) {
    const prefix = keyPrefix(context.config.cluster, unit);
    if (keys.some((key) => key.startsWith(prefix))) reflector.relist(message);
  }
}
