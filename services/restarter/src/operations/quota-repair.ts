import { recordKey } from "@rollcast/shared/subjects";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import type { Following } from "../reconcile/progress-watch.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { splitKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";
import type { Keeper } from "../admission/quota-store.ts";
import { isLimited } from "../decision/quota.ts";

/** Between two looks at who holds a slot. */
const HEAL_MS = 2_000;
/** So old, a slot's rollout is in the record, or whoever took it is dead. */
const ORPHAN_MS = 15_000;

function unfinished(record: WorkloadRecord | undefined): Rollout | undefined {
  return record?.phase === "pending" || record?.phase === "rolling" ? record.rollout : undefined;
}

type Healing = {
  readonly ctx: Context;
  readonly keeper: Keeper;
  readonly following: Following;
  readonly queues: readonly string[];
};

async function recordNow(ctx: Context, key: WorkloadKey): Promise<WorkloadRecord | undefined> {
  return (await ctx.records.get(recordKey(ctx.cluster, splitKey(key))))?.value;
}

/** Takes slots back whose rollouts are not under way: whoever held them was killed between two writes. */
async function freeOrphans({ ctx, keeper, following }: Healing, queue: string): Promise<void> {
  const holders = Object.entries(ctx.gates.state(queue).rolling);
  for (const [key, holder] of holders as [WorkloadKey, { rollout: string; since: number }][]) {
    if (unfinished(following.get(key))?.id === holder.rollout) continue;
    if (holder.since > clock() - ORPHAN_MS) continue;
    if (unfinished(await recordNow(ctx, key))?.id === holder.rollout) continue;
    const isFreed = await keeper.change(queue, (state) => {
      const { [key]: found, ...others } = state.rolling;
      if (found?.rollout !== holder.rollout) return { state, answer: false };
      return { state: { ...state, rolling: others }, answer: true };
    });
    if (isFreed) ctx.logger.info({ queue, workload: key }, "slot without a rollout freed");
  }
}

/** Gives a slot to rollouts that are under way without one: they began before their queue had a bound, or in another queue. */
async function addMissing({ ctx, keeper, following }: Healing, queue: string): Promise<void> {
  if (!isLimited(ctx.gates.settings(queue))) return;
  const { rolling } = ctx.gates.state(queue);
  for (const [key, record] of following.all()) {
    const workload = ctx.index.get(key);
    if (unfinished(record) === undefined || Object.hasOwn(rolling, key)) continue;
    if (workload === undefined || ctx.gates.queueOf(workload) !== queue) continue;
    const rollout = unfinished(await recordNow(ctx, key));
    if (rollout === undefined) continue;
    await keeper.change(queue, (state) => {
      if (Object.hasOwn(state.rolling, key)) return { state, answer: undefined };
      const changes = (rollout.changes ?? []).map(({ id }) => id);
      const holder = { rollout: rollout.id, since: clock(), changes };
      return {
        state: { ...state, rolling: { ...state.rolling, [key]: holder } },
        answer: undefined,
      };
    });
  }
}

/** Keeps the queues' tables of slots true to the records, until disposal. */
export function startHealing(healing: Healing): AsyncDisposable & { now(): void } {
  const { ctx } = healing;
  let running: Promise<void> | undefined;
  let isStopped = false;
  const heal = async () => {
    try {
      for (const queue of healing.queues) {
        await freeOrphans(healing, queue);
        await addMissing(healing, queue);
      }
    } catch (err) {
      ctx.logger.warn({ err }, "slots not compared with the records, trying again");
    }
    running = undefined;
  };
  const now = () => {
    if (!isStopped) running ??= heal();
  };
  const timer = setInterval(now, HEAL_MS);
  return {
    now,
    async [Symbol.asyncDispose]() {
      isStopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
