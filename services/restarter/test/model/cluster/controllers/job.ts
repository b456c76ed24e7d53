import { parseTime } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { isEqual } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import {
  conditionOf,
  conditionsOf,
  createPod,
  isActive,
  isDeleting,
  isReady,
  omitEmpty,
  ownedBy,
  phaseOf,
  podOf,
  refusalOf,
  removePod,
  specNumber,
  statusNumber,
  statusActs,
} from "./parts.ts";
import { isWaiting } from "./lost-expectation.ts";
import { NO_FAULTS } from "./act.ts";
import type { Act, Faults } from "./act.ts";

const TRACKED = "batch.kubernetes.io/job-tracking";
const by = { manager: "kube-controller-manager" };

const AGAIN = "create a pod after a failure";

/** Whether the act is one that the Job controller puts off, longer after each failure. */
export function isPutOff({ name }: Act): boolean {
  return name.startsWith("Job ") && name.endsWith(`: ${AGAIN}`);
}

type Context = {
  readonly store: ObjectStore;
  readonly job: KubeObject;
  readonly pods: readonly KubeObject[];
  readonly faults: Faults;
};

type Uncounted = { readonly succeeded: readonly string[]; readonly failed: readonly string[] };

function act({ job }: Context, name: string, run: () => void): Act {
  return { name: `Job ${job.metadata.name}: ${name}`, run };
}

export function isFinished(job: KubeObject): boolean {
  return ["Complete", "Failed"].some((type) => conditionOf(job, type)?.status === "True");
}

const isSuspended = (job: KubeObject) => job.spec?.suspend === true;
const isTracked = ({ metadata }: KubeObject) => metadata.finalizers?.includes(TRACKED) === true;

function uncountedOf({ status }: KubeObject): Uncounted {
  const { succeeded = [], failed = [] } = (status?.uncountedTerminatedPods ??
    {}) as Partial<Uncounted>;
  return { succeeded, failed };
}

/** Ended, or deleted before it could: it counts as failed then. */
function outcomeOf(pod: KubeObject): "succeeded" | "failed" | undefined {
  if (phaseOf(pod) === "Succeeded") return "succeeded";
  return phaseOf(pod) === "Failed" || isDeleting(pod) ? "failed" : undefined;
}

/** How many pods have ended so, counted already or not yet. */
function total({ job, pods }: Context, outcome: "succeeded" | "failed"): number {
  const uncounted = uncountedOf(job)[outcome];
  const fresh = pods.filter(
    (pod) => isTracked(pod) && outcomeOf(pod) === outcome && !uncounted.includes(pod.metadata.uid),
  );
  return statusNumber(job, outcome) + uncounted.length + fresh.length;
}

/** Why the Job has come to its end, before its pods are counted. */
function targetOf(context: Context): Fields | undefined {
  const { store, job, pods, faults } = context;
  const present = ["SuccessCriteriaMet", "FailureTarget"].map((type) => conditionOf(job, type));
  const ended = present.find((condition) => condition !== undefined);
  if (ended !== undefined) return ended;
  const make = (type: string, reason: string) => ({
    type,
    status: "True",
    reason,
    lastTransitionTime: timeText(store.now()),
  });
  const limit = specNumber(job, "backoffLimit", 6) - (faults.has("gives-up-early") ? 1 : 0);
  if (total(context, "failed") > limit) {
    return make("FailureTarget", "BackoffLimitExceeded");
  }
  const started = parseTime(job.status?.startTime as string | undefined);
  const deadline = specNumber(job, "activeDeadlineSeconds", 0) * 1_000;
  const isLate = started !== undefined && store.now() - started >= deadline;
  if (deadline > 0 && isLate && !isSuspended(job)) {
    return make("FailureTarget", "DeadlineExceeded");
  }
  const all = total(context, "succeeded") >= specNumber(job, "completions", 1);
  return all && pods.every((pod) => !isActive(pod))
    ? make("SuccessCriteriaMet", "CompletionsReached")
    : undefined;
}

function newPod({ job }: Context): Draft {
  const pod = podOf(job, job.spec?.template as Fields, { generateName: `${job.metadata.name}-` });
  return { ...pod, metadata: { ...pod.metadata, finalizers: [TRACKED] } };
}

/** Creates and deletes pods. */
function manage(context: Context): Act[] {
  const { store, job, pods } = context;
  const active = pods.filter(isActive);
  const remove = (pod: KubeObject) =>
    act(context, `delete pod ${pod.metadata.name}`, () => removePod(store, pod));
  // Without its finalizer it does not count as failed, however long it takes to end.
  const dismiss = (pod: KubeObject) =>
    act(context, `dismiss pod ${pod.metadata.name}`, () => {
      withoutFinalizer(store, pod);
      removePod(store, pod);
    });
  const target = targetOf(context);
  if (target?.type === "FailureTarget") return active.map(remove);
  if (isSuspended(job)) return active.map(dismiss);
  if (target !== undefined) return [];
  const left = specNumber(job, "completions", 1) - total(context, "succeeded");
  const wanted = Math.max(0, Math.min(left, specNumber(job, "parallelism", 1)));
  if (active.length > wanted) return active.map(dismiss);
  if (active.length === wanted) return [];
  const draft = newPod(context);
  if (refusalOf(store, draft) !== undefined) return [];
  const name = total(context, "failed") > 0 ? AGAIN : "create a pod";
  return [act(context, name, () => createPod(store, draft))];
}

type Suspension = { readonly conditions: readonly Fields[]; readonly startTime: unknown };

/** What suspending and resuming leave in the status, unless the Job stays as it is. */
function suspension({ store, job }: Context, stays: boolean): Suspension {
  const now = timeText(store.now());
  const present = conditionOf(job, "Suspended");
  const status = isSuspended(job) ? "True" : "False";
  const startTime = job.status?.startTime ?? (isSuspended(job) ? undefined : now);
  const isSame = present?.status === status || (present === undefined && status === "False");
  if (stays || isSame) return { conditions: conditionsOf(job), startTime };
  const reason = status === "True" ? "JobSuspended" : "JobResumed";
  const others = conditionsOf(job).filter(({ type }) => type !== "Suspended");
  const condition = { type: "Suspended", status, reason, lastTransitionTime: now };
  return {
    conditions: [...others, condition],
    startTime: status === "True" ? undefined : now,
  };
}

/** Pods that ended are named first, then lose their finalizer, and are counted then. */
function counted({ job, pods }: Context, ended: boolean) {
  const uncounted = uncountedOf(job);
  const tracked = new Set(pods.filter(isTracked).map(({ metadata }) => metadata.uid));
  const fresh = (outcome: "succeeded" | "failed") =>
    pods
      .filter((pod) => isTracked(pod))
      .filter((pod) => (outcomeOf(pod) ?? (ended ? "failed" : undefined)) === outcome)
      .map(({ metadata }) => metadata.uid)
      .filter((uid) => !uncounted.succeeded.includes(uid) && !uncounted.failed.includes(uid));
  const of = (outcome: "succeeded" | "failed") => ({
    left: [...uncounted[outcome].filter((uid) => tracked.has(uid)), ...fresh(outcome)],
    count:
      statusNumber(job, outcome) + uncounted[outcome].filter((uid) => !tracked.has(uid)).length,
  });
  return { succeeded: of("succeeded"), failed: of("failed") };
}

/** One with the end of the Job, or as it is written first where pods were counted: without. */
function statusOf(context: Context, withEnd: boolean): Fields {
  const { store, job, pods } = context;
  const target = targetOf(context);
  const failed = target?.type === "FailureTarget";
  const { succeeded, failed: failures } = counted(context, failed);
  const terminating = pods.filter(
    (pod) => isDeleting(pod) && outcomeOf(pod) === "failed" && phaseOf(pod) !== "Failed",
  ).length;
  const isManaged = target === undefined && !isWaiting(store, job);
  const { conditions, startTime } = suspension(context, !isManaged);
  const isNew = target !== undefined && conditionOf(job, String(target.type)) === undefined;
  const uncounted = succeeded.left.length + failures.left.length;
  const isCounted = uncounted === 0 && terminating === 0;
  // The API server refuses an end without a start: a Job that was suspended before its start was
  // written stays as it is until it is resumed.
  const done = withEnd && target !== undefined && !isNew && isCounted && startTime !== undefined;
  const last = { ...target, type: failed ? "Failed" : "Complete" };
  const active = pods.filter(isActive);
  return omitEmpty(
    {
      ...job.status,
      startTime,
      active: active.length,
      ready: active.filter(isReady).length,
      terminating,
      succeeded: succeeded.count,
      failed: failures.count,
      uncountedTerminatedPods: omitEmpty({ succeeded: succeeded.left, failed: failures.left }),
      conditions: [...conditions, ...(isNew ? [target] : []), ...(done ? [last] : [])],
      completionTime: done && !failed ? timeText(store.now()) : job.status?.completionTime,
    },
    ["ready", "terminating"],
  );
}

/** Pods that are named as ended lose their finalizer. */
function release(context: Context): Act[] {
  const { store, job, pods } = context;
  const { succeeded, failed } = uncountedOf(job);
  const named = new Set([...succeeded, ...failed]);
  return pods
    .filter((pod) => isTracked(pod) && named.has(pod.metadata.uid))
    .map((pod) =>
      act(context, `release pod ${pod.metadata.name}`, () => withoutFinalizer(store, pod)),
    );
}

function withoutFinalizer(store: ObjectStore, pod: KubeObject): void {
  const finalizers = (pod.metadata.finalizers ?? []).filter((name) => name !== TRACKED);
  store.update({ ...pod, metadata: { ...pod.metadata, finalizers } }, by);
}

/** Pods whose Job is gone lose their finalizer, or they could never be deleted. */
function orphans(store: ObjectStore): Act[] {
  const jobs = new Set(store.list("Job").map(({ metadata }) => metadata.uid));
  return store
    .list("Pod")
    .filter(isTracked)
    .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => jobs.has(uid)) !== true)
    .map((pod) => ({
      name: `Pod ${pod.metadata.name}: release from a Job that is gone`,
      run: () => withoutFinalizer(store, pod),
    }));
}

function ofJob(context: Context): Act[] {
  const { store, job } = context;
  if (isFinished(job)) return [];
  const managed = isDeleting(job) || isWaiting(store, job) ? [] : manage(context);
  const released = release(context);
  if (managed.some(isPutOff)) {
    return [...managed, ...released, ...statusActs(store, job, statusOf(context, false))];
  }
  if (managed.length > 0) return [...managed, ...released];
  const [whole, first] = [true, false].map((withEnd) => statusOf(context, withEnd));
  const isOne = isEqual(whole, first);
  return [
    ...released,
    ...statusActs(store, job, whole ?? {}),
    ...(isOne ? [] : statusActs(store, job, first ?? {})),
  ];
}

/** What the Job controller may do next, for Jobs that are not indexed and have no policies. */
export function acts(store: ObjectStore, faults: Faults = NO_FAULTS): Act[] {
  const ofJobs = store
    .list("Job")
    .flatMap((job) => ofJob({ store, job, pods: ownedBy(store, "Pod", job), faults }));
  return [...ofJobs, ...orphans(store)];
}
