import { contentsHash } from "../../../src/model/content.ts";
import { isRestore } from "./facts.ts";
import type { Facts } from "./facts.ts";
import { waitsOf } from "./holds.ts";
import type { Entry } from "../world/history.ts";
import type { Fault, Property } from "./property.ts";

const ONCE = new Set(["started", "stalled"]);

/** Two events of one rollout that may have one. */
function twiceOfRollout({ events }: Facts): Fault[] {
  const published = new Set<string>();
  return events.flatMap(({ i, event }) => {
    if (!ONCE.has(event.outcome) || event.data.rollout === undefined) return [];
    const key = `${event.outcome} ${event.data.rollout}`;
    if (published.has(key)) return [{ i, what: `a rollout is told as ${event.outcome} twice` }];
    published.add(key);
    return [];
  });
}

/**
 * A wait of one workload that is told while it has been told already; what a restore brought back
 * aside, and what a process that stood still publishes again under its id.
 */
function twiceOfWait({ events, history, rollouts }: Facts): Fault[] {
  const first = new Set(events.map(({ i }) => i));
  const restored = history.findIndex((entry) => isRestore(entry));
  let waits = new Map<string, string>();
  /** Since which place in the history it was to be told. */
  let published = new Map<string, number>();
  let uid: string | undefined;
  return history.flatMap((entry, i) => {
    if (restored !== -1 && i > restored) return [];
    if (entry.type === "record") {
      const all = entry.record === undefined ? [] : waitsOf(entry.record);
      waits = new Map(all.map(({ outcome, reason, once }) => [`${outcome} ${reason}`, once]));
      const isOfSame = entry.record?.uid === uid;
      published = new Map(
        [...published].filter(([once]) => isOfSame && [...waits.values()].includes(once)),
      );
      uid = entry.record?.uid;
      return [];
    }
    if (entry.type !== "event" || !first.has(i)) return [];
    const { outcome, data } = entry.event;
    // One of the same name that is gone waited on its own, and may be told after it.
    const once = data.workload.uid === uid ? waits.get(`${outcome} ${data.reason}`) : undefined;
    const { wanted } = rollouts.get(data.rollout ?? "")?.rollout ?? {};
    // A failure of earlier content may be published when its record has another already.
    const isOfOther =
      outcome === "failed" && wanted !== undefined && once?.endsWith(contentsHash(wanted)) !== true;
    if (once === undefined || isOfOther) return [];
    const decided = history.findIndex(
      (other) =>
        other.type === "record" && other.record?.outbox.some(({ id }) => id === entry.event.id),
    );
    const before = published.get(once);
    published.set(once, decided === -1 ? i : decided);
    // What is planned anew, and refused as before, is told once more: each plan has an end.
    const isPlanned = (other: Entry) =>
      other.type === "record" && other.record?.planned !== undefined;
    const isAnew = outcome === "failed" && history.slice(before, i).some(isPlanned);
    if (before === undefined || isAnew) return [];
    return [{ i, what: `${outcome} (${data.reason}) is told twice` }];
  });
}

export const TOLD_ONCE: readonly Property[] = [
  {
    name: "told once",
    says: "the start and the stall of a rollout, and each wait, are published once",
    faults: (facts) => [...twiceOfRollout(facts), ...twiceOfWait(facts)],
  },
];
