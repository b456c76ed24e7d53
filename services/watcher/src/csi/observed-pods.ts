import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import type { Kv } from "@rollcast/nats/kv";
import { modify } from "@rollcast/nats/modify";
import type { Logger } from "@rollcast/runtime/logger";
import { encodeToken } from "@rollcast/shared/subjects";
import { z } from "zod";
import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import { compareVersions, newerVersion } from "@rollcast/kube/resource-version";
import type { SourceRecord } from "@rollcast/shared/records";
import { retryKv } from "../store/outbox.ts";
import { classKey, observedClass } from "./csi-transform.ts";
import type { PodStatus, ProviderClass } from "./csi-transform.ts";
import type { Context } from "../context.ts";
import { compare } from "../model/compare.ts";
import type { Unit } from "../model/scope.ts";
import type { Observation } from "../model/transform.ts";
import { keysOf, startListPass } from "../sources/list-pass.ts";
import type { ListPass } from "../sources/list-pass.ts";

/**
 * The last observed content of a pod status, stored in the bucket `sources` under
 * `<cluster>.csi.pods.<namespace>.<name>`. Only a status that was observed before can change: a new
 * pod may have versions of its own (providers of short-lived credentials do that) and must not roll
 * the running pods.
 */
const PodRecord = z.object({
  v: z.literal(1),
  uid: z.string(),
  keyId: z.string(),
  content: z.string(),
});
type PodRecord = z.infer<typeof PodRecord>;

/** The pod statuses that were observed before. */
type ObservedPods = {
  /** Whether the in-memory copy shows no difference; does not read the bucket. */
  isSame(pod: PodStatus): boolean;
  /** Whether a status that was observed before with content now has other content. */
  differs(pod: PodStatus): Promise<boolean>;
  keep(pod: PodStatus): Promise<void>;
  forget(key: string): Promise<void>;
  /** Keys of the statuses of a namespace, or of all. */
  keys(namespace: string | undefined): string[];
  keyOf(pod: Pick<PodStatus, "namespace" | "name">): string;
};

/** State shared by the handlers of classes and of pod statuses. */
export type CsiState = {
  /** Existing classes by record key. */
  readonly classes: Map<string, ProviderClass>;
  readonly pods: ObservedPods;
  /** Lists the pod statuses again, for a class that was recreated while its pods stayed. */
  readonly revived: () => void;
};

export async function openObservedPods(options: {
  nats: Nats;
  cluster: string;
  keyId: string;
  logger: Logger;
  signal: AbortSignal;
}): Promise<ObservedPods> {
  const { keyId } = options;
  const kv: Kv<PodRecord> = await openKv(options.nats, "sources", PodRecord);
  const prefix = `${encodeToken(options.cluster)}.csi.pods.`;
  const contents = new Map<string, string>();
  const contentOf = (record: PodRecord) => `${record.uid} ${record.keyId} ${record.content}`;
  for await (const { key, value } of kv.snapshot(`${prefix}*.*`)) {
    contents.set(key, contentOf(value));
  }
  const read = (key: string) => retryKv(() => kv.get(key), options);
  const keyOf = ({ namespace, name }: Pick<PodStatus, "namespace" | "name">) =>
    `${prefix}${encodeToken(namespace)}.${encodeToken(name)}`;
  const recordOf = ({ uid, content }: PodStatus): PodRecord => ({ v: 1, uid, keyId, content });
  return {
    keyOf,
    isSame: (pod) => contents.get(keyOf(pod)) === contentOf(recordOf(pod)),
    async differs(pod) {
      const before = (await read(keyOf(pod)))?.value;
      if (before === undefined || before.uid !== pod.uid || before.keyId !== keyId) return false;
      return before.content !== "" && before.content !== pod.content;
    },
    async keep(pod) {
      const key = keyOf(pod);
      const record = recordOf(pod);
      await retryKv(() => modify(kv, key, () => record), options);
      contents.set(key, contentOf(record));
    },
    async forget(key) {
      await retryKv(() => modify(kv, key, () => null), options);
      contents.delete(key);
    },
    keys(namespace) {
      const inside = namespace === undefined ? prefix : `${prefix}${encodeToken(namespace)}.`;
      return [...contents.keys()].filter((key) => key.startsWith(inside));
    },
  };
}

/** Handles pod statuses, which carry the content of the classes. */
export function podStatusHandler(
  context: Context,
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
