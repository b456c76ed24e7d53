import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import type { Kv } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import type { Logger } from "@rollcast/runtime/logger";
import { encodeToken } from "@rollcast/shared/subjects";
import { z } from "zod";
import { retryKv } from "../store/outbox.ts";
import type { PodStatus, ProviderClass } from "./csi-transform.ts";

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
export type ObservedPods = {
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
      for (;;) {
        const entry = await read(key);
        const written = await retryKv(() => put(kv, key, record, entry), options);
        if (written !== undefined) break;
      }
      contents.set(key, contentOf(record));
    },
    async forget(key) {
      const entry = await read(key);
      if (entry !== undefined) await retryKv(() => kv.remove(key, entry.revision), options);
      contents.delete(key);
    },
    keys(namespace) {
      const inside = namespace === undefined ? prefix : `${prefix}${encodeToken(namespace)}.`;
      return [...contents.keys()].filter((key) => key.startsWith(inside));
    },
  };
}
