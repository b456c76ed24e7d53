import type { Context } from "../context.ts";
import type { Following } from "../reconcile/progress-watch.ts";
import type { Queues } from "./rollout-queues.ts";
import { isStateKey } from "../model/control-entry.ts";
import { startHealing } from "../operations/quota-repair.ts";
import type { Control } from "../operations/control.ts";

/** After so many milliseconds of changes in a row, one look at all of them. */
const GATHER_MS = 25;
/** How late an end that was set beforehand is noticed. */
const EXPIRE_MS = 500;

/**
 * Carries what is steered out in this replica, until disposal: limits go to Redis, whoever may go on now is asked for, what has ended is taken back, slots
 * without a rollout are freed.
 */
export function startSteering(
  ctx: Context,
  control: Control,
  parts: {
    readonly queues: Queues;
    readonly following: Following;
    readonly names: readonly string[];
  },
): AsyncDisposable {
  const { queues, following, names: queueNames } = parts;
  const healing = startHealing({ ctx, keeper: control.keeper, following, queues: queueNames });
  let pending: NodeJS.Timeout | undefined;
  let isSteered = false;
  let last = "";
  let isStopped = false;
  const retune = () =>
    queues.retune().catch((err: unknown) => {
      ctx.logger.warn({ err }, "queue limits not set, trying again");
    });
  const look = () => {
    pending = undefined;
    // What only changed who rolls can let nobody go on but those who wait for a slot.
    if (!isSteered) return following.fillSlots();
    isSteered = false;
    void retune();
    following.look();
  };
  const soon = (isRollingOnly: boolean) => {
    isSteered ||= !isRollingOnly;
    if (!isStopped) pending ??= setTimeout(look, GATHER_MS);
  };
  control.listen((key) => soon(isStateKey(key)));
  const tick = () => {
    // Ends come by the clock, not by a write.
    const now = JSON.stringify(queueNames.map((name) => ctx.gates.settings(name)));
    if (now !== last) {
      healing.now();
      soon(false);
    }
    last = now;
    void retune();
    control.expire().catch((err: unknown) => {
      ctx.logger.warn({ err }, "what has ended was not taken back, trying again");
    });
  };
  const timer = setInterval(tick, EXPIRE_MS);
  return {
    async [Symbol.asyncDispose]() {
      isStopped = true;
      clearInterval(timer);
      clearTimeout(pending);
      await healing[Symbol.asyncDispose]();
    },
  };
}
