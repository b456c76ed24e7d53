import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import { compareVersions, newerVersion } from "@rollcast/kube/resource-version";
import type { SourceRecord } from "@rollcast/shared/records";
import type { WatcherContext } from "../context.ts";
import { compare } from "../model/compare.ts";
import type { Unit } from "../model/scope.ts";
import type { Observation } from "../model/transform.ts";
import { keysOf, startListPass } from "../sources/list-pass.ts";
import type { ListPass } from "../sources/list-pass.ts";
import { classKey, observedClass } from "./csi-transform.ts";
import type { PodStatus } from "./csi-transform.ts";
import type { CsiState } from "./observed-pods.ts";

/** Handles pod statuses, which carry the content of the classes. */
export function podStatusHandler(
  context: WatcherContext,
  unit: Unit,
  { classes, pods }: CsiState,
): ReflectorHandler<PodStatus | undefined> {
  const { cache, pool, outbox, scope, recorder, coverage } = context;
  const { cluster } = context.config;
  const keyId = context.key.id;
  let pass: ListPass | undefined;
  let unlisted = new Set<string>();
  /** For each class, the newest status on the list in progress. */
  let newest = new Map<string, PodStatus>();

  const lacksContent = (record: SourceRecord | undefined) =>
    record === undefined || record.deletedAt !== undefined || record.keyId !== keyId;

  /**
   * Records a class's content from `pod`: any change, or with `first` only content that is not
   * recorded yet.
   */
  const recordContent = async (
    pod: PodStatus,
    first: boolean,
    { origin, restored }: Observation,
  ) => {
    const key = classKey(cluster, pod.namespace, pod.className);
    const owner = classes.get(key);
    if (owner === undefined || pod.content === "") return;
    // A recreated class is newer than what its pods mounted before.
    const version = newerVersion(owner.resourceVersion, pod.resourceVersion);
    const observed = first ? observedClass(owner, pod, version) : observedClass(owner, pod);
    const since = performance.now();
    await outbox.apply(
      key,
      (record) => {
        if (first && !lacksContent(record)) return undefined;
        // The first pod has just started with this content, so there is nothing to roll.
        const at = { keyId, now: Date.now(), origin, covered: false, restored };
        return compare(record, observed, at);
      },
      since,
    );
  };

  return {
    listStarted() {
      pass = startListPass(context, unit);
      unlisted = new Set(pods.keys(unit.namespace));
      newest = new Map();
    },
    listing({ resourceVersion }) {
      pass?.begun(resourceVersion);
    },
    async upsert(pod, origin) {
      if (pod === undefined || !(await scope.whenInScope(pod.namespace))) return;
      unlisted.delete(pods.keyOf(pod));
      const key = classKey(cluster, pod.namespace, pod.className);
      const observation = { origin, restored: origin === "list" && pass?.restored() === true };
      if (origin === "list") {
        const other = newest.get(key)?.resourceVersion;
        if (other === undefined || compareVersions(pod.resourceVersion, other) > 0) {
          newest.set(key, pod);
        }
      }
      const entry = cache.get(key);
      const hasContent = entry !== undefined && entry.deletedAt === undefined;
      if (pods.isSame(pod) && hasContent && !pool.busy(key)) return;
      await pool.run(key, async () => {
        if (await pods.differs(pod)) await recordContent(pod, false, observation);
        else if (origin === "watch") await recordContent(pod, true, observation);
        await pods.keep(pod);
      });
    },
    async removed(pod) {
      if (pod === undefined) return;
      const key = classKey(cluster, pod.namespace, pod.className);
      await pool.run(key, () => pods.forget(pods.keyOf(pod)));
    },
    async listed({ resourceVersion }) {
      const restored = pass?.restored() === true;
      for (const [key, pod] of newest) {
        await pool.run(key, () => recordContent(pod, true, { origin: "list", restored }));
      }
      for (const key of unlisted) await pool.run(key, () => pods.forget(key));
      if (restored) {
        for (const key of keysOf(context, unit)) {
          await recorder.update(key, (record) =>
            compareVersions(record.resourceVersion, resourceVersion) > 0
              ? { ...record, resourceVersion }
              : undefined,
          );
        }
      }
      newest = new Map();
      pass = undefined;
      await pool.drain();
      await coverage.add(scope.covered(unit), Date.now());
    },
  };
}
