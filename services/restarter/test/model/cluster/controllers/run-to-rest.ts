import { controllerActs } from "./controllers.ts";
import type { Faults } from "./act.ts";
import type { ObjectStore } from "../object-store.ts";

const MAX_STEPS = 10_000;

export type RunOptions = {
  /** Which of so many acts is next. */
  readonly choose: (count: number) => number;
  readonly faults?: Faults;
};

/** Lets the controllers work until none of them has anything to do; the names of what they did. */
export function runToRest(store: ObjectStore, { choose, faults }: RunOptions): string[] {
  const done: string[] = [];
  for (;;) {
    const acts = controllerActs(store, faults);
    const next = acts[choose(acts.length)];
    if (next === undefined) return done;
    if (done.length === MAX_STEPS) {
      throw new Error(`the controllers do not come to rest: ${done.slice(-20).join("; ")}`);
    }
    next.run();
    done.push(next.name);
  }
}

/** A source of numbers that a seed decides (mulberry32). */
export function seededChoice(seed: number): (count: number) => number {
  let state = seed >>> 0;
  return (count) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return count === 0 ? 0 : ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  };
}
