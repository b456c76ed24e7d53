import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";

/**
 * What to do now. `record` is the record as it should be. `changed` says that it differs from the
 * given one, so it must be written first.
 * - `requeue`: the index is older than the record, or (`refetch`) only the API server can decide.
 * - `keep`: nothing to patch.
 * - `skip`: a rollout is due and reported, not made (`mode: observe`).
 * - `wait`: a rollout is due at `until`.
 * - `roll`: patch as `record.rollout` says.
 */
export type Decision =
  | { readonly do: "requeue"; readonly refetch: boolean }
  | { readonly do: "keep" | "skip"; readonly record: WorkloadRecord; readonly changed: boolean }
  | {
      readonly do: "wait";
      readonly record: WorkloadRecord;
      readonly changed: boolean;
      /** Unset if it waits for a gate to open. */
      readonly until: number | undefined;
    }
  | {
      readonly do: "roll";
      readonly record: WorkloadRecord & { rollout: Rollout };
      readonly changed: boolean;
    };
