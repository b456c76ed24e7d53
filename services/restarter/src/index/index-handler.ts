import { compareVersions } from "@rollcast/kube/resource-version";
import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { CommonOrder } from "@rollcast/kube/resource-version";
import type { EndedWorkloads } from "./ended-workloads.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

/**
 * How the index got to know a workload: the watch showed each of its versions, a list or an answer
 * has what was there then, and after the cluster was `restored` that is older than what was known.
 */
export type ShownBy = "watch" | "answer" | "restored";

/** The kind that the reflector shows, and the writes of the index. */
type Parts = {
  readonly kind: string;
  readonly order: CommonOrder | undefined;
  readonly clock: () => number;
  readonly ended: Pick<EndedWorkloads, "addGone">;
  readonly get: (key: WorkloadKey) => Workload | undefined;
  readonly put: (workload: Workload, by: ShownBy) => void;
  readonly drop: (key: WorkloadKey, last?: Workload) => void;
};

/** Feeds the index from one reflector; a full list removes what it no longer has. */
export function createIndexHandler(parts: Parts): ReflectorHandler<Workload> {
  const { kind, order, clock, ended, get, put, drop } = parts;
  /** The newest version that the reflector has shown. */
  let newest: string | undefined;
  let listed: ShownBy = "answer";
  const shown = (version: string) => {
    newest = version;
    order?.shown("workloads", kind, { version, time: clock() });
  };
  let held = new Set<WorkloadKey>();
  let listing: Set<WorkloadKey> | undefined;
  return {
    listStarted() {
      listing = new Set();
    },
    listing({ resourceVersion }) {
      const wentBack = newest !== undefined && compareVersions(resourceVersion, newest) < 0;
      listed = wentBack ? "restored" : "answer";
      shown(resourceVersion);
    },
    upsert(workload, origin) {
      const key = workloadKey(workload);
      held.add(key);
      listing?.add(key);
      if (origin === "watch") shown(workload.resourceVersion);
      put(workload, origin === "watch" ? "watch" : listed);
    },
    removed(workload) {
      const key = workloadKey(workload);
      held.delete(key);
      ended.addGone(workload.uid);
      const existing = get(key);
      // Its replacement may be indexed before this deletion arrives.
      if (existing === undefined || existing.uid === workload.uid) drop(key, workload);
    },
    listed() {
      for (const key of held) {
        if (listing?.has(key) !== false) continue;
        const { uid } = get(key) ?? {};
        if (uid !== undefined) ended.addGone(uid);
        drop(key);
      }
      held = listing ?? held;
      listing = undefined;
    },
  };
}
