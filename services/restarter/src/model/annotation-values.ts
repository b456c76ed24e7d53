import { ANNOTATIONS } from "@rollcast/shared/annotations";
import { formatDuration, parseDuration } from "@rollcast/shared/duration";
import type { Rules } from "./rules.ts";
import type { Workload } from "./workload.ts";

/** A value, or one entry of it, that cannot be read as it stands, and what is done instead. */
export type AnnotationFault = { readonly annotation: string; readonly message: string };

const MAX_SHOWN = 80;

/** `problem` is a sentence of which the value is the subject. */
export function annotationFault(
  annotation: string,
  value: string,
  problem: string,
): AnnotationFault {
  return { annotation, message: `"${value.slice(0, MAX_SHOWN)}" ${problem}` };
}

/**
 * The faults of an object under the names that it has written, and those of names that nobody
 * reads, which are of somebody who wants something of us.
 */
export function withNameFaults(
  rules: Pick<Rules, "misnamed" | "writtenName">,
  written: Readonly<Record<string, unknown>>,
  faults: readonly AnnotationFault[],
): AnnotationFault[] {
  return [
    ...faults.map(({ annotation, message }) => ({
      annotation: rules.writtenName(written, annotation),
      message,
    })),
    ...rules.misnamed(written).map(({ name, nearest }) => ({
      annotation: name,
      message: `is no annotation that Rollcast reads: is ${nearest} meant?`,
    })),
  ];
}

/** The annotations of a workload and of its pod template, under our own names. */
export type Annotated = Pick<Workload, "annotations" | "templateAnnotations">;

export const PAUSE_PERIOD = ANNOTATIONS.pausePeriod.own;
export const MIN_INTERVAL = "rollcast.dev/min-interval";
/**
 * `notify`: report what would roll the workload, do not roll it; replaces Reloader's webhook mode.
 */
export const EFFECT = "rollcast.dev/effect";
/**
 * Additional receivers for a workload's rollouts: names of receivers of the notifier, separated by
 * commas, or `none`.
 */
export const NOTIFY = "rollcast.dev/notify";
export const MAX_RECEIVERS = 20;
const RECEIVER = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const NO_DURATION = "no duration like 30s, 5m or 1h30m";
const MAX_WAIT_MS = 7 * 24 * 3_600_000;

/** The workload's own value, else that of its pod template; an empty one counts as none. */
function valueOf({ annotations, templateAnnotations }: Annotated, name: string): string {
  return annotations[name] || templateAnnotations[name] || "";
}

/** The milliseconds of an annotation, at most 7 days; 0 without one that can be read. */
export function annotatedDuration(workload: Annotated, name: string): number {
  return Math.min(parseDuration(valueOf(workload, name)) ?? 0, MAX_WAIT_MS);
}

/** Which duration cannot be read, as a sentence: a wait is asked for, and nobody knows how long. */
export function unreadableDuration(workload: Annotated): string | undefined {
  const isUnreadable = (text: string) => text !== "" && parseDuration(text) === undefined;
  const name = [PAUSE_PERIOD, MIN_INTERVAL].find((each) => isUnreadable(valueOf(workload, each)));
  if (name === undefined) return undefined;
  return `${name}: "${valueOf(workload, name).slice(0, MAX_SHOWN)}" is ${NO_DURATION}`;
}

function durationProblem(text: string): string | undefined {
  const ms = parseDuration(text);
  if (ms === undefined) {
    return `is ${NO_DURATION}, and rollouts wait until it is one`;
  }
  return ms > MAX_WAIT_MS
    ? `is longer than ${formatDuration(MAX_WAIT_MS)}, and counts as that`
    : undefined;
}

function receiversProblem(text: string): string | undefined {
  const names = text.split(",").map((name) => name.trim());
  const refused = names.find((name) => name !== "" && !RECEIVER.test(name));
  if (refused !== undefined) {
    return `names "${refused.slice(0, MAX_SHOWN)}", which no receiver can be called`;
  }
  const isTooLong = new Set(names).size > MAX_RECEIVERS;
  return isTooLong ? `has more than ${MAX_RECEIVERS} names: the others are passed over` : undefined;
}

/** A check of one annotation. */
type Check = {
  readonly annotation: string;
  /** The kind of workload that reads it; default: all. */
  readonly kind?: string;
  /** It counts on the workload itself, not on its pod template. */
  readonly isOwnOnly?: true;
  /** What is wrong with a value that is not empty, and what is done. */
  readonly problem: (value: string, workload: Rolled) => string | undefined;
};

type Rolled = Pick<Workload, "rollBy" | "workloadRef">;

function strategyProblem(value: string, { rollBy, workloadRef }: Rolled): string | undefined {
  const isRestarted = rollBy === "restart" && workloadRef === undefined;
  const counts = isRestarted ? "restart" : "rollout";
  if (value === counts) return undefined;
  if (value === "restart") {
    return "cannot be done with the template of a Deployment, and counts as rollout";
  }
  return value === "rollout"
    ? "cannot be done with a PodTemplate or ReplicaSet, and counts as restart"
    : `is neither restart nor rollout, and counts as ${counts}`;
}

function sourceProblem(value: string): string | undefined {
  return parseBool(value) === false
    ? undefined
    : "counts on a ConfigMap, Secret or SecretProviderClass, not on a workload";
}

const CHECKS: readonly Check[] = [
  { annotation: ANNOTATIONS.ignore.own, problem: sourceProblem },
  { annotation: ANNOTATIONS.match.own, problem: sourceProblem },
  { annotation: PAUSE_PERIOD, problem: durationProblem },
  { annotation: MIN_INTERVAL, problem: durationProblem },
  {
    annotation: EFFECT,
    problem: (value) =>
      value === "notify" ? undefined : "is not notify, and counts as it: nothing is rolled",
  },
  { annotation: NOTIFY, isOwnOnly: true, problem: receiversProblem },
  {
    annotation: ANNOTATIONS.rolloutStrategy.own,
    kind: "Rollout",
    isOwnOnly: true,
    problem: strategyProblem,
  },
  {
    annotation: "rollcast.dev/cronjob",
    kind: "CronJob",
    isOwnOnly: true,
    problem: (value) =>
      value === "template" ? undefined : "is not template, and counts as it: no Job is run",
  },
];

/** What is wrong with the annotations of a workload that hold one value. */
export function valueFaults(
  workload: Annotated & Rolled & Pick<Workload, "kind">,
): AnnotationFault[] {
  return CHECKS.flatMap(({ annotation, kind = workload.kind, isOwnOnly = false, problem }) => {
    const value = valueOf(workload, annotation);
    if (value === "") return [];
    if (kind !== workload.kind) {
      return annotationFault(annotation, value, `counts on a ${kind}, not on a ${workload.kind}`);
    }
    const isIgnored = isOwnOnly && (workload.annotations[annotation] ?? "") === "";
    const fault = isIgnored
      ? "counts on the workload, not on its pod template"
      : problem(value, workload);
    return fault === undefined ? [] : [annotationFault(annotation, value, fault)];
  });
}

/** Values that Go's strconv.ParseBool accepts as true; Reloader parses its switches with it. */
const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** A switch as Go reads it; undefined for what is neither. */
export function parseBool(text: string): boolean | undefined {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : undefined;
}

/** What is wrong with a switch that counts as on for exactly `true`. */
export function exactFault(annotation: string, value = ""): AnnotationFault | undefined {
  if (value === "" || value === "true" || parseBool(value) === false) return undefined;
  return annotationFault(annotation, value, "is not exactly true, and counts as false");
}

/** What is wrong with the annotations of a source, under our own names. */
export function sourceFaults(annotations: Readonly<Record<string, string>>): AnnotationFault[] {
  return [ANNOTATIONS.ignore.own, ANNOTATIONS.match.own].flatMap(
    (name) => exactFault(name, annotations[name]) ?? [],
  );
}
