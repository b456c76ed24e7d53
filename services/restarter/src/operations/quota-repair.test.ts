import { expect, test } from "vitest";
import { T0, givenSituation } from "../../test/given-situation.ts";
import type { Context } from "../context.ts";
import { emptyState } from "../model/control-entry.ts";
import type { QueueState } from "../model/control-entry.ts";
import type { Rollout } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";
import { startQuotaRepair } from "./quota-repair.ts";

const { workload } = givenSituation();
const KEY = workloadKey(workload);
const STALLED_AFTER_MS = 600_000;

/** The rollout that has quota after a repair of a queue where none is in use; undefined: none. */
async function holderAfterRepair(over: Partial<Rollout>): Promise<string | undefined> {
  // A second over its deadline: it has just been reported, or is about to be.
  const deadline = Date.now() - 1_000;
  const rollout = { id: "r1", decidedAt: T0, deadline, stallTimeout: STALLED_AFTER_MS, ...over };
  const record = { ...workload, phase: "rolling", rollout };
  let state: QueueState = emptyState("default");
  const ctx = {
    cluster: "test",
    stalledAfterMs: STALLED_AFTER_MS,
    records: { get: async () => ({ key: KEY, value: record, revision: 1 }) },
    index: { get: () => workload },
    admission: {
      state: () => state,
      settings: () => ({ maxRolling: 1 }),
      queueOf: () => "default",
    },
  } as unknown as Context;
  const quotaStore = {
    async change(_queue: string, update: (before: QueueState) => { state: QueueState }) {
      ({ state } = update(state));
    },
  };
  const progress = { all: () => [[KEY, record]], get: () => record };
  {
    const parts = { ctx, quotaStore, progress, queues: ["default"] };
    await using repair = startQuotaRepair(parts as never);
    repair.now();
  }
  return state.rolling[KEY]?.rollout;
}

test.each([
  { name: "goes on", over: {}, holder: "r1" },
  { name: "has stalled", over: { stalled: true }, holder: undefined },
  { name: "began too long ago", over: { deadline: 0 }, holder: undefined },
])(
  "the holder of quota is, where a rollout has none and $name, then $holder",
  async ({ over, holder }) => {
    expect(await holderAfterRepair(over)).toBe(holder);
  },
);
