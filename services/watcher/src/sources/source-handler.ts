import type { ReflectorHandler } from "@rollcast/kube/reflector";
import { PARTIAL_LIST } from "@rollcast/kube/resource";
import { apiPath } from "@rollcast/kube/patch";
import { parseRecordKey, recordKey } from "@rollcast/shared/subjects";
import type { Gone } from "../model/observation.ts";
import type { WatcherContext } from "../context.ts";
import { SOURCE_TYPES } from "../model/source-kinds.ts";
import { startListPass } from "./list-pass.ts";
import type { ListPass } from "./list-pass.ts";
import type { Seen } from "../model/transform.ts";
import type { Sighting } from "../model/observation.ts";
import type { DataUnit } from "../model/scope.ts";

type Existing = { items?: readonly { metadata?: { uid?: string } }[] };

/** Uid of an object whatever its labels, by a list of metadata alone; undefined where there is none. */
async function uidOf(
  { client, signal }: WatcherContext,
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

/** Takes what a reflector shows of a unit of ConfigMaps or Secrets to their records. What `reduce` left out arrives as undefined. */
export function sourceHandler(
  context: WatcherContext,
  unit: DataUnit,
): ReflectorHandler<Seen | undefined> {
  const { known, pool, scope, coverage, recorder } = context;
  const { cluster } = context.config;
  const selective = context.config.scope.resourceSelector !== "";
  let pass: ListPass | undefined;

  /** A source that is shown no more is deleted, or only labelled out of the selection. */
  const vanished = async (key: string, what: Gone, name: [string, string], at: Sighting) => {
    const uid = selective ? await uidOf(context, unit.kind, ...name) : undefined;
    if (uid !== undefined && (what.uid === undefined || what.uid === uid)) {
      await recorder.forget(key);
    } else await recorder.gone(key, what, at);
  };

  return {
    listStarted() {
      pass = startListPass(context, unit);
    },
    listing({ resourceVersion }) {
      pass?.begun(resourceVersion);
    },
    async upsert(seen, origin) {
      if (seen === undefined || !(await scope.admits(seen.namespace))) return;
      if (origin === "list") pass?.missing.delete(recordKey(cluster, seen));
      const restored = origin === "list" && pass?.restored() === true;
      await recorder.present(seen, { origin, restored });
    },
    async removed(seen) {
      if (seen === undefined || !(await scope.admits(seen.namespace))) return;
      const { uid, resourceVersion, namespace, name } = seen;
      const at: Sighting = { origin: "watch", restored: false };
      await vanished(recordKey(cluster, seen), { uid, resourceVersion }, [namespace, name], at);
    },
    async listed({ resourceVersion }) {
      const restored = pass?.restored() === true;
      for (const key of pass?.missing ?? []) {
        const entry = known.get(key);
        const ref = parseRecordKey(key);
        if (entry === undefined || ref === undefined) continue;
        if (entry.deletedAt !== undefined && !restored) continue;
        const at: Sighting = { origin: "list", restored };
        await vanished(key, { resourceVersion }, [ref.namespace, ref.name], at);
      }
      pass = undefined;
      await pool.drain();
      await coverage.add(scope.covered(unit), Date.now());
    },
  };
}
