import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { inOrder } from "../decision/quota.ts";
import type { Waiter } from "../decision/quota.ts";
import type { AdmissionOptions } from "./admission-state.ts";

/** Who waits for quota, and since when. */
export function createWaiters(queueOf: (workload: Workload) => string, options: AdmissionOptions) {
  const waiting = new Map<WorkloadKey, number>();
  return {
    observe(key: WorkloadKey, record: WorkloadRecord | undefined) {
      if (record?.due?.reason === "MaxRolling") waiting.set(key, record.staleSince ?? 0);
      else waiting.delete(key);
    },
    of(queue: string): Waiter[] {
      const waiters: Waiter[] = [];
      for (const [key, since] of waiting) {
        const workload = options.workload(key);
        if (workload !== undefined && queueOf(workload) === queue) waiters.push({ key, since });
      }
      return inOrder(waiters);
    },
  };
}
