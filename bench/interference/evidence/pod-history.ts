import type { AnyObject } from "@rollcast/testkit/test-api";
import type { Pod } from "./evidence.ts";
import type { WatchEvent } from "./watch.ts";

type WatchedPod = Omit<Pod, "workload"> & { readonly app: string };

/** Every pod that a watch has shown. */
export type PodHistory = {
  onEvent(event: WatchEvent<AnyObject>, at: number): void;
  /** The pods, each with its workload by its label `app`; `deletions` are by their uids. */
  pods(workloads: ReadonlyMap<string, string>, deletions: ReadonlyMap<string, number>): Pod[];
};

/** Keeps when pods were made, and when their deletion began. */
export function createPodHistory(): PodHistory {
  const byUid = new Map<string, WatchedPod>();
  return {
    onEvent({ type, object: { metadata } }, at) {
      const { uid = "", name, labels, resourceVersion } = metadata;
      const existing = byUid.get(uid) ?? {
        app: labels?.app ?? "",
        name,
        uid,
        createdRevision: Number(resourceVersion),
        createdAt: at,
        deletedAt: undefined,
      };
      const isDeleted = type === "DELETED" || metadata.deletionTimestamp !== undefined;
      const deletedAt = existing.deletedAt ?? (isDeleted ? at : undefined);
      byUid.set(uid, { ...existing, deletedAt });
    },
    pods: (workloads, deletions) =>
      [...byUid.values()].flatMap(({ app, ...pod }) => {
        const workload = workloads.get(app);
        if (workload === undefined) return [];
        // A watch shows it later than it was requested.
        const deletedAt = deletions.get(pod.uid) ?? pod.deletedAt;
        return [{ ...pod, workload, deletedAt }];
      }),
  };
}
