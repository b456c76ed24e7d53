import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";

/**
 * What to do now. `record` is the record as it should be; `changed` says whether that is another than the one given, so must be written first.
 * - `look-again`: the index is older than the record, or (`ask`) only the API server can tell.
 * - `keep`: nothing is to be patched.
 * - `skip`: a rollout is due and told, and not made (`mode: observe`).
 * - `wait`: a rollout is due at `until`.
 * - `roll`: patch what `record.rollout` says.
 */
export type Decision =
  | { readonly do: "look-again"; readonly ask: boolean }
  | { readonly do: "keep" | "skip"; readonly record: WorkloadRecord; readonly changed: boolean }
  | {
      readonly do: "wait";
      readonly record: WorkloadRecord;
      readonly changed: boolean;
      /** Absent where it waits for something to open. */
      readonly until: number | undefined;
    }
  | {
      readonly do: "roll";
      readonly record: WorkloadRecord & { rollout: Rollout };
      readonly changed: boolean;
    };
