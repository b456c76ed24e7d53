import type { RolloutEvent } from "@rollcast/shared/events";
import { outcomeOf, workloadOf } from "./evidence.ts";
import type { Change, Evidence, Write } from "./evidence.ts";

/** Writes of one workload beside what each changed of the one before. */
export type WrittenVersion = {
  readonly write: Write;
  readonly isMarkerChanged: boolean;
  readonly isTemplateChanged: boolean;
};

/** What was written of a workload, in order. */
export function versionsOf({ writes }: Evidence, workload: string): WrittenVersion[] {
  const own = writes.filter((write) => write.workload === workload);
  return own.map((write, i) => {
    const before = own[i - 1];
    return {
      write,
      isMarkerChanged: before !== undefined && before.marker !== write.marker,
      isTemplateChanged: before !== undefined && before.template !== write.template,
    };
  });
}

/** Writes with which Rollcast itself changed the marker. */
export function patchesOf(evidence: Evidence, workload: string): Write[] {
  return versionsOf(evidence, workload)
    .filter(({ write, isMarkerChanged }) => write.isRollcast && isMarkerChanged)
    .map(({ write }) => write);
}

/** The digests of a marker, by source (`<kind>/<name>`); empty where there is none. */
export function digestsOf(marker: string | undefined): ReadonlyMap<string, string> {
  const parsed = JSON.parse(marker ?? "{}") as Record<string, string>;
  return new Map(Object.entries(parsed).filter(([source]) => source.includes("/")));
}

/** The change by which a source had its content at a revision. */
export function contentAt(
  { changes }: Evidence,
  source: string,
  revision: number,
): Change | undefined {
  return changes.findLast((change) => change.source === source && change.revision <= revision);
}

/** One rollout by its events. */
export type PublishedRollout = {
  readonly id: string;
  readonly workload: string;
  readonly started: readonly RolloutEvent[];
  readonly ends: readonly RolloutEvent[];
  /** The patch that its `started` is about. */
  readonly patch: Write | undefined;
};

const ENDS = new Set(["succeeded", "failed", "superseded", "cancelled"]);

export function isEnd(event: RolloutEvent): boolean {
  return ENDS.has(outcomeOf(event));
}

/** The last patch that made a generation at or before that which is published. */
function patchFor(patches: readonly Write[], started: RolloutEvent | undefined): Write | undefined {
  const { generation } = started?.data ?? {};
  if (generation === undefined) return undefined;
  return patches.findLast((patch) => (patch.generation ?? Number.POSITIVE_INFINITY) <= generation);
}

/** The rollouts that events are about, in the order of their first event. */
export function rolloutsOf(evidence: Evidence): PublishedRollout[] {
  const byId = new Map<string, RolloutEvent[]>();
  for (const event of evidence.events) {
    const { rollout } = event.data;
    if (rollout === undefined) continue;
    byId.set(rollout, [...(byId.get(rollout) ?? []), event]);
  }
  const patches = new Map(
    evidence.subjects.map(({ workload }) => [workload, patchesOf(evidence, workload)]),
  );
  return [...byId].flatMap(([id, events]) => {
    const [first] = events;
    if (first === undefined) return [];
    const workload = workloadOf(first);
    const started = events.filter((event) => outcomeOf(event) === "started");
    const patch = patchFor(patches.get(workload) ?? [], started[0]);
    return [{ id, workload, started, ends: events.filter(isEnd), patch }];
  });
}
