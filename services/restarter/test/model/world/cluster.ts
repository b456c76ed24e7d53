import { controllerActs } from "../cluster/controllers.ts";
import { nextTime } from "../cluster/next-time.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import { runToRest, seededChoice } from "../cluster/run-to-rest.ts";

/** The controllers of the cluster. */
export type Cluster = {
  /**
   * So many things in an order that the seed decides; without a count until there is nothing to do.
   */
  work(seed: number, count?: number): void;
  /** The controllers have nothing to do before this time, unless something is written. */
  restUntil(): number;
};

export function createCluster(store: ObjectStore, worked: () => void): Cluster {
  let rest = { events: -1, until: 0 };
  return {
    restUntil: () => rest.until,
    work(seed, count) {
      if (rest.events === store.events().length && store.now() < rest.until) return;
      const choose = seededChoice(seed);
      if (count === undefined) runToRest(store, { choose });
      for (let left = count ?? 0; left > 0; left--) {
        const acts = controllerActs(store);
        acts[choose(acts.length)]?.run();
      }
      if (count === undefined) {
        const until = nextTime(store) ?? Number.POSITIVE_INFINITY;
        rest = { events: store.events().length, until };
      }
      worked();
    },
  };
}
