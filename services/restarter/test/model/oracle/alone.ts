import { isFinished } from "../cluster/controllers/job.ts";
import { controllerOf } from "../cluster/controllers/parts.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { isPatch } from "./facts.ts";
import type { Facts } from "./facts.ts";
import type { Fault, Property } from "./property.ts";

/** The Jobs of a CronJob that had not finished before a place in the history, and since when. */
function unfinishedAt({ history }: Facts, cronJob: KubeObject, i: number): Map<string, number> {
  const since = new Map<string, number>();
  for (const [at, entry] of history.slice(0, i).entries()) {
    if (entry.type !== "object" || entry.write.object.kind !== "Job") continue;
    const { object, type } = entry.write;
    if (controllerOf(object)?.uid !== cronJob.metadata.uid) continue;
    const { name } = object.metadata;
    if (type === "DELETED" || isFinished(object)) since.delete(name);
    else if (!since.has(name)) since.set(name, at);
  }
  return since;
}

/** So long a watch takes at most to show a Job. */
const SHOWN_MS = 2_000;
/** What keeps a watch from that, and for how long. */
const BLIND = ["Watches of workloads deliver nothing", "to list workloads"];
const BLIND_MS = 180_000;

/** Whether the restarter's watch had shown a Job of this place before it decided a rollout. */
function isShown({ history }: Facts, i: number, decidedAt: number): boolean {
  const made = history[i]?.at ?? 0;
  const isBlind = history.some(
    (entry) =>
      entry.type === "act" &&
      entry.at > made - BLIND_MS &&
      entry.at <= decidedAt &&
      BLIND.some((text) => entry.text.includes(text)),
  );
  return !isBlind && made + SHOWN_MS < decidedAt;
}

/** Runs of a CronJob that allows none beside another. */
function runsBeside(facts: Facts): Fault[] {
  return facts.writes.filter(isPatch).flatMap(({ i, marker, object }) => {
    const { concurrencyPolicy = "Allow" } = object.spec ?? {};
    if (object.kind !== "CronJob" || concurrencyPolicy === "Allow") return [];
    const decided = [...facts.rollouts.values()].filter(({ rollout }) => rollout.marker === marker);
    const decidedAt = Math.min(...decided.map(({ rollout }) => rollout.decidedAt));
    return [...unfinishedAt(facts, object, i)]
      .filter(([, since]) => isShown(facts, since, decidedAt))
      .map(([name]) => ({ i, what: `a Job is run beside ${name}` }));
  });
}

/** Jobs that somebody else has made, and the restarter deletes. */
function killed({ history }: Facts): Fault[] {
  return history.flatMap((entry, i) => {
    if (entry.type !== "object" || entry.by !== "rollcast") return [];
    const { object, type } = entry.write;
    const isGone = type === "DELETED" || object.metadata.deletionTimestamp !== undefined;
    const isOwned = object.kind === "Job" && controllerOf(object) !== undefined;
    return isGone && isOwned ? [{ i, what: `Job ${object.metadata.name} is deleted` }] : [];
  });
}

export const ALONE: readonly Property[] = [
  {
    name: "owned work is its owner's",
    says: "no Job of a controller is deleted, and none of a CronJob is run beside another that may not",
    faults: (facts) => [...runsBeside(facts), ...killed(facts)],
  },
];
