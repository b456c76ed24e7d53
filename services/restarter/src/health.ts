import type { Work } from "@rollcast/queue/worker";
import type { Sign } from "@rollcast/runtime/health/liveness";
import type { Consuming } from "@rollcast/nats/consume";
import type { Sweep } from "./reconcile/resync.ts";
import type { Turns } from "./queue/rollout-queue.ts";
import type { Kinds } from "./index/kinds.ts";

/** A queue and the worker of this replica. */
export type Worked = {
  readonly turns: Pick<Turns, "queue" | "standingMs">;
  readonly work: Pick<Work, "lastActive" | "inHandMs">;
};

export type Parts = {
  readonly kinds: Pick<Kinds, "signs">;
  readonly consuming: Pick<Consuming, "lastHeard" | "inHandMs">;
  readonly sweeping: Pick<Sweep, "inHandMs">;
  readonly worked: readonly Worked[];
};

async function signsOf({ turns, work }: Worked, now: number): Promise<Sign[]> {
  const idle = Math.min(await turns.standingMs(), now - work.lastActive());
  return [
    { what: `queue ${turns.queue}: a turn is in hand`, ms: work.inHandMs() },
    { what: `queue ${turns.queue}: turns wait and none is taken`, ms: idle },
  ];
}

/** What must not stand still for long in a restarter. */
export async function restarterSigns(parts: Parts, now = Date.now()): Promise<Sign[]> {
  const { kinds, consuming, sweeping, worked } = parts;
  const queues = await Promise.all(worked.map((one) => signsOf(one, now)));
  return [
    ...kinds.signs(),
    { what: "events: nothing heard", ms: now - consuming.lastHeard() },
    { what: "events: one is in hand", ms: consuming.inHandMs() },
    { what: "the sweep is in hand", ms: sweeping.inHandMs() },
    ...queues.flat(),
  ];
}
