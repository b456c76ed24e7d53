import { lacking, patchOf, wantedBy } from "../oracle/truth.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import type { Rollout, WorkloadRecord } from "../../../src/model/workload-record.ts";
import { isReplaced } from "../oracle/complete.ts";
import { contentAt, isPatch, podsAt, shortName, workloadAt } from "../oracle/facts.ts";
import type { Facts, WorkloadWrite } from "../oracle/facts.ts";
import type { Pod } from "../oracle/pods.ts";
import { namedIn } from "../oracle/left-pods.ts";
import type { Violation } from "../oracle/property.ts";
import { staleSources } from "../oracle/rest.ts";

/** A pod of a violation with a source whose content it lacks. */
export type Lack = {
  readonly pod: Pod;
  readonly source: string;
  /** The content that it should have. */
  readonly wanted: string;
  /** Where the source got that content first since the pod was made, or else last. */
  readonly changedAt: number;
  /** Up to this place in the history the template is of interest. */
  readonly at: number;
};

function lackOf({ changes }: Facts, pod: Pod, source: string, wanted: string, at: number): Lack {
  const times = changes.filter(
    ({ i, source: of, digest }) => i < at && of === source && digest === wanted,
  );
  // Content may go and come again while the pod runs.
  const change = times.find(({ i }) => i > pod.from) ?? times.at(-1);
  return { pod, source, wanted, at, changedAt: change?.i ?? Number.POSITIVE_INFINITY };
}

/** The pods at a place in the history that the workload's controller replaces by itself. */
function replacedPods(facts: Facts, workload: KubeObject | undefined, at: number): Pod[] {
  if (workload === undefined) return [];
  return podsAt(facts, workload.metadata.uid, at).filter(({ name }) => isReplaced(workload, name));
}

/** What ended the rollout's hold on the template: our next patch, with another marker. */
function nextPatch({ writes }: Facts, { marker }: Rollout, after: number): number {
  const next = writes.find((write) => write.i > after && isPatch(write) && write.marker !== marker);
  return next?.i ?? Number.POSITIVE_INFINITY;
}

function lacksOfSuccess(facts: Facts, { i: at, what }: Violation): Lack[] {
  const data = facts.events.find(({ i }) => i === at)?.event.data;
  const { workload, rollout: id = "" } = data ?? {};
  const rollout = facts.rollouts.get(id)?.rollout;
  if (workload === undefined || rollout === undefined) return [];
  const began = patchOf(facts, rollout, at)?.i ?? Number.POSITIVE_INFINITY;
  const wanted = wantedBy(rollout);
  // The end was decided before the next rollout was patched, and published after it.
  const decided = Math.min(at, nextPatch(facts, rollout, began));
  const pods = what.startsWith("succeeded, but")
    ? replacedPods(facts, workloadAt(facts, workload.uid, at), at)
    : podsAt(facts, workload.uid, at);
  const named = namedIn(data?.message ?? "");
  return pods
    .filter(({ from, name }) => from < began && !named.includes(name))
    .flatMap((pod) =>
      lacking(pod.content, rollout).map((source) =>
        lackOf(facts, pod, source, wanted.get(source) ?? "", decided),
      ),
    );
}

function lacksAtEnd(facts: Facts, { what }: Violation): Lack[] {
  const at = facts.history.length;
  const present = contentAt(facts, at);
  const { workload } = facts;
  const uid = workload?.metadata.uid ?? "";
  // A Job's pod has ended, and is what it has run with.
  const newest = facts.pods.filter(({ owner }) => owner === uid).slice(-1);
  const replaced = workload?.kind === "Job" ? newest : replacedPods(facts, workload, at);
  const pods = what.startsWith("pods lack") ? replaced : podsAt(facts, uid, at);
  return staleSources(facts, pods).flatMap((source) => {
    const wanted = present.get(source) ?? "";
    return pods
      .filter(({ content }) => content.get(source) !== wanted)
      .map((pod) => lackOf(facts, pod, source, wanted, at));
  });
}

/** A violation of which only one lack is looked at. */
export type OfOneLack = Violation & { readonly only?: Lack };

/** What pods lack by a violation; nothing if it says something else. */
export function lacksOf(facts: Facts, violation: Violation): Lack[] {
  if (violation.property === "succeeded is true") return lacksOfSuccess(facts, violation);
  const isAtEnd = /^pods (that wait for their owner )?lack/.test(violation.what);
  return isAtEnd ? lacksAtEnd(facts, violation) : [];
}

/**
 * Whether a violation says that pods lack content, and each lack has this cause: another fault of
 * the same run is not left out for it.
 */
export function isEachLack(
  facts: Facts,
  violation: OfOneLack,
  hasCause: (lack: Lack) => boolean,
): boolean {
  const { only } = violation;
  const lacks = only === undefined ? lacksOf(facts, violation) : [only];
  return lacks.length > 0 && lacks.every(hasCause);
}

/** The writes of a pod's workload that made a version of its template, marker and all. */
export function versionsOf({ writes }: Facts, { pod, at }: Lack): WorkloadWrite[] {
  return writes.filter(
    ({ i, before, deleted, markerChanged, object, templateChanged }) =>
      i < at &&
      !deleted &&
      object.metadata.uid === pod.owner &&
      (before?.metadata.uid !== pod.owner || markerChanged || templateChanged),
  );
}

/** Whether the restarter recorded nothing of a write before a place in the history. */
export function isUnrecorded({ history }: Facts, write: WorkloadWrite, place: number): boolean {
  const { uid, generation = 0 } = write.object.metadata;
  const last = history
    .slice(write.i, place)
    .flatMap((entry) => (entry.type === "record" || entry.type === "restored record" ? entry : []))
    .at(-1);
  return last?.record?.uid !== uid || last.record.generation < generation;
}

type Query = { readonly pod: Pick<Pod, "owner">; readonly source: string };

/**
 * The workload's record at a place in the history; of a Job that was just made again the one that
 * says so, which has the uid of before.
 */
function recordBefore({ history, writes }: Facts, { pod }: Query, place: number) {
  const made = writes.find(({ object }) => object.metadata.uid === pod.owner);
  const isMadeAgain = made?.by === "rollcast" && made.before === undefined;
  const entry = history.slice(0, place).findLast((each) => {
    if (each.type !== "record") return false;
    const isOfBefore = isMadeAgain && each.record?.recreate !== undefined;
    return each.record?.uid === pod.owner || isOfBefore;
  });
  return entry?.type === "record" ? entry.record : undefined;
}

function digestIn(contents: WorkloadRecord["running"] | undefined, source: string) {
  return Object.entries(contents ?? {}).find(([key]) => shortName(key) === source)?.[1].digest;
}

/** The content of a source that the workload's record says it runs, at a place in the history. */
export function recordedAt(facts: Facts, lack: Query, place: number) {
  return digestIn(recordBefore(facts, lack, place)?.running, lack.source);
}
