import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/** The writes of the index. */
type Writes = {
  readonly get: (key: WorkloadKey) => Workload | undefined;
  readonly put: (workload: Workload, watched: boolean) => void;
  readonly drop: (key: WorkloadKey, last?: Workload) => void;
  /** Called with each version that the watch shows, and that a list begins with. */
  readonly shown: (version: string) => void;
  /** Called with the uid of what a watch or a full list shows to be gone. */
  readonly gone: (uid: string) => void;
};

/** Feeds the index from one reflector; a full list removes what it no longer has. */
export function createIndexHandler({
  get,
  put,
  drop,
  shown,
  gone,
}: Writes): ReflectorHandler<Workload> {
  let held = new Set<WorkloadKey>();
  let listing: Set<WorkloadKey> | undefined;
  return {
    listStarted() {
      listing = new Set();
    },
    listing({ resourceVersion }) {
      shown(resourceVersion);
    },
    upsert(workload, origin) {
      const key = workloadKey(workload);
      held.add(key);
      listing?.add(key);
      if (origin === "watch") shown(workload.resourceVersion);
      put(workload, origin === "watch");
    },
    removed(workload) {
      const key = workloadKey(workload);
      held.delete(key);
      gone(workload.uid);
      const existing = get(key);
      // Its replacement may be indexed before this deletion arrives.
      if (existing === undefined || existing.uid === workload.uid) drop(key, workload);
    },
    listed() {
      for (const key of held) {
        if (listing?.has(key) !== false) continue;
        const { uid } = get(key) ?? {};
        if (uid !== undefined) gone(uid);
        drop(key);
      }
      held = listing ?? held;
      listing = undefined;
    },
  };
}
