import { outcomeOf, workloadOf } from "../evidence/evidence.ts";
import type { Comparison, Disagreement, Evidence, Write } from "../evidence/evidence.ts";
import { contentAt, isEnd } from "../evidence/history.ts";

/** Whether the last that is published of a workload is that its content cannot be rolled. */
function isHeld({ events }: Evidence, workload: string): boolean {
  const last = events.findLast(
    (event) =>
      workloadOf(event) === workload &&
      (isEnd(event) || ["started", "deferred"].includes(outcomeOf(event))),
  );
  return last !== undefined && ["failed", "deferred"].includes(outcomeOf(last));
}

export const lastContentRuns: Comparison = {
  name: "the last content runs",
  says: "at the end each pod was made with the last content of every source, but where that was published as failed or deferred",
  compare(evidence) {
    const subjects = evidence.subjects.filter(({ workload }) => !isHeld(evidence, workload));
    const disagreements = subjects.flatMap(({ workload, sources }): Disagreement[] => {
      const pods = evidence.pods.filter(
        (pod) => pod.workload === workload && pod.deletedAt === undefined,
      );
      if (pods.length === 0) return [{ workload, at: undefined, what: "no pod is left" }];
      return pods.flatMap(({ name, createdRevision }) =>
        sources.flatMap((source) => {
          const last = contentAt(evidence, source, Number.POSITIVE_INFINITY);
          if (contentAt(evidence, source, createdRevision)?.digest === last?.digest) return [];
          const what = `pod ${name} runs earlier content of ${source}`;
          return [{ workload, at: undefined, what }];
        }),
      );
    });
    return { compared: subjects.length, disagreements };
  },
};

/** Where generations between two writes are of no write in the log. */
function gaps(writes: readonly Write[], workload: string): Disagreement[] {
  let generation = 0;
  let scales = 0;
  let replicas: number | undefined;
  return writes.flatMap((write): Disagreement[] => {
    const isScaled = replicas !== write.replicas;
    replicas = write.replicas;
    if (write.generation === undefined) {
      if (isScaled) scales++;
      return [];
    }
    const expected = [generation + scales, generation + scales + 1];
    const isWhole = expected.includes(write.generation);
    const what = `generation ${write.generation} after ${generation} and ${scales} scales`;
    generation = write.generation;
    scales = 0;
    return isWhole ? [] : [{ workload, at: write.receivedAt, what }];
  });
}

/** Without this, no other comparison says anything. */
export const logIsWhole: Comparison = {
  name: "the audit log is whole",
  says: "every generation of every workload is by one write in the audit log",
  compare(evidence) {
    const disagreements = evidence.subjects.flatMap(({ workload }) =>
      gaps(
        evidence.writes.filter((write) => write.workload === workload),
        workload,
      ),
    );
    return { compared: evidence.writes.length, disagreements };
  },
};
