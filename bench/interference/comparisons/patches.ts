import { outcomeOf, timeOf, workloadOf } from "../evidence/evidence.ts";
import type { Change, Comparison, Disagreement, Evidence, Write } from "../evidence/evidence.ts";
import { contentAt, digestsOf, patchesOf, rolloutsOf, versionsOf } from "../evidence/history.ts";

/** One patch of the audit log for each `started`, and one `started` for each patch. */
export const startedIsPatched: Comparison = {
  name: "started is one patch",
  says: "each rollout.started is about one accepted patch, with its generation; each patch has one",
  compare(evidence) {
    const rollouts = rolloutsOf(evidence).filter(({ started }) => started.length > 0);
    const faults = rollouts.flatMap(({ workload, started, patch }): Disagreement[] => {
      const [event] = started;
      if (event === undefined) return [];
      const at = timeOf(event);
      if (patch === undefined) return [{ workload, at, what: "started, and nothing was patched" }];
      if (event.data.generation !== patch.generation) {
        const what = `started at generation ${event.data.generation}, its patch made ${patch.generation}`;
        return [{ workload, at, what }];
      }
      return at + 1 < patch.receivedAt
        ? [{ workload, at, what: "started before its patch was sent" }]
        : [];
    });
    const patches = evidence.subjects.flatMap(({ workload }) => patchesOf(evidence, workload));
    const unmatched = patches.flatMap((patch): Disagreement[] => {
      const count = rollouts.filter((rollout) => rollout.patch === patch).length;
      const { workload, receivedAt: at, generation } = patch;
      const what = `the patch of generation ${generation} has ${count} times started`;
      return count === 1 ? [] : [{ workload, at, what }];
    });
    return { compared: patches.length, disagreements: [...faults, ...unmatched] };
  },
};

/** A watcher that is busy sees a change so much later. */
const OBSERVED_MS = 30_000;
/** The time of managedFields, where it is known no better, has whole seconds. */
const SECOND_MS = 1_000;

function isTimeOf(change: Change, time: number): boolean {
  return time > change.receivedAt - SECOND_MS && time <= change.answeredAt + OBSERVED_MS;
}

export const causeHasChanged: Comparison = {
  name: "cause is a change",
  says: "the cause of each rollout is a source that its workload uses, changed when it says",
  compare(evidence) {
    const events = evidence.events.filter((event) => outcomeOf(event) === "started");
    const disagreements = events.flatMap((event): Disagreement[] => {
      const workload = workloadOf(event);
      const at = timeOf(event);
      const { cause } = event.data;
      if (cause === undefined) return [{ workload, at, what: "started without a cause" }];
      const source = `${cause.kind}/${cause.name}`;
      const subject = evidence.subjects.find((candidate) => candidate.workload === workload);
      if (subject?.sources.includes(source) !== true) {
        return [{ workload, at, what: `its cause is ${source}, which it does not use` }];
      }
      const { changedAt } = cause;
      if (changedAt === undefined) return [];
      const changes = evidence.changes.filter((change) => change.source === source);
      return changes.some((change) => isTimeOf(change, Date.parse(changedAt)))
        ? []
        : [{ workload, at, what: `${source} did not change at ${changedAt}, as is said` }];
    });
    return { compared: events.length, disagreements };
  },
};

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return [...a].every(([source, digest]) => b.get(source) === digest);
}

/** Whether the sources had other content between two revisions: what is there now came back. */
function cameBack(
  { changes }: Evidence,
  digests: ReadonlyMap<string, string>,
  [from, to]: readonly [number, number],
): boolean {
  return changes.some(
    ({ source, digest, revision }) =>
      revision > from && revision < to && digests.has(source) && digests.get(source) !== digest,
  );
}

/** The patches of a workload whose content another one has brought already. */
function repeated(evidence: Evidence, workload: string): Disagreement[] {
  const rollouts = rolloutsOf(evidence).filter((rollout) => rollout.workload === workload);
  const succeededAt = (patch: Write | undefined) => {
    const ends = rollouts.find((rollout) => rollout.patch === patch)?.ends ?? [];
    const success = ends.find((event) => outcomeOf(event) === "succeeded");
    return success === undefined ? Number.POSITIVE_INFINITY : timeOf(success);
  };
  let last: Write | undefined;
  let isRemoved = false;
  return versionsOf(evidence, workload).flatMap(({ write, isMarkerChanged }) => {
    if (!isMarkerChanged) return [];
    if (!write.isRollcast) {
      // At rest it restarts every pod: there is nothing to be rolled again.
      if (last !== undefined && write.receivedAt < succeededAt(last)) isRemoved = true;
      return [];
    }
    const before = last;
    const digests = digestsOf(write.marker);
    const isAgain = before !== undefined && isSame(digests, digestsOf(before.marker));
    const isDue =
      before === undefined ||
      isRemoved ||
      cameBack(evidence, digests, [before.revision, write.revision]);
    last = write;
    isRemoved = false;
    if (!isAgain || isDue) return [];
    const what = `the content of generation ${before.generation} is rolled again by ${write.generation}`;
    return [{ workload, at: write.receivedAt, what }];
  });
}

/** First patches that bring what the pods were made with. */
function needless(evidence: Evidence, workload: string): Disagreement[] {
  const [created] = versionsOf(evidence, workload);
  const [first] = patchesOf(evidence, workload);
  if (created === undefined || first === undefined) return [];
  const digests = digestsOf(first.marker);
  const { revision } = created.write;
  const isRunning = [...digests].every(
    ([source, digest]) => contentAt(evidence, source, revision)?.digest === digest,
  );
  if (!isRunning || cameBack(evidence, digests, [revision, first.revision])) return [];
  const what = "the content that it was made with is rolled";
  return [{ workload, at: first.receivedAt, what }];
}

export const rolledOnce: Comparison = {
  name: "each content once",
  says: "a patch brings other content than the one before, or content that came back, or whose marker was taken off in mid-rollout",
  compare(evidence) {
    const workloads = evidence.subjects.map(({ workload }) => workload);
    return {
      compared: workloads.flatMap((workload) => patchesOf(evidence, workload)).length,
      disagreements: workloads.flatMap((workload) => [
        ...needless(evidence, workload),
        ...repeated(evidence, workload),
      ]),
    };
  },
};

/** What a patch's marker says was the content of the workload's sources a moment before. */
export const markerIsContent: Comparison = {
  name: "marker is the content",
  says: "each marker has the digest of every source that its workload uses, of content that it has or had just before",
  compare(evidence) {
    const patches = evidence.subjects.flatMap(({ workload, sources }) =>
      patchesOf(evidence, workload).map((patch) => ({ patch, sources })),
    );
    const disagreements = patches.flatMap(({ patch, sources }) => {
      const digests = digestsOf(patch.marker);
      return sources.flatMap((source): Disagreement[] => {
        const { workload, receivedAt: at, revision } = patch;
        const own = evidence.changes.filter((change) => change.source === source);
        const present = own.filter((change, i) => {
          const until = own[i + 1]?.answeredAt ?? Number.POSITIVE_INFINITY;
          return change.revision < revision && until > at - OBSERVED_MS;
        });
        if (present.some(({ digest }) => digest === digests.get(source))) return [];
        return [{ workload, at, what: `its marker has content of ${source} that it had not` }];
      });
    });
    return { compared: patches.length, disagreements };
  },
};
