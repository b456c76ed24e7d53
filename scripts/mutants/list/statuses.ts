import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const STUCK = {
  file: "test/stuck.test.ts",
  title:
    "a rollout that stalls names its pods, whatever makes them: in the event, to who asks, and on the workload",
};

/** A status says which rollout it speaks of, and what stands in its way. */
export const STATUS_MUTANTS: readonly Mutant[] = [
  {
    name: "refused-replicaset-stalls",
    undoes: "A rollout whose new ReplicaSet is refused fails with the cluster's sentence.",
    file: "services/restarter/src/decision/rollout.ts",
    find: `  if (status.refused !== undefined) return failed(record, rollout, status.refused, now);\n`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/decision/advance.test.ts",
      title: "a late rollout says why: what its controller could not do",
    },
  },
  {
    name: "stalled-is-silent",
    undoes: "A rollout that stalls says how far it is.",
    file: "services/restarter/src/decision/rollout.ts",
    find: `stalled(record, rollout, status.message, now)`,
    becomes: `stalled(record, rollout, undefined, now)`,
    killedBy: {
      file: "services/restarter/src/decision/advance.test.ts",
      title: "a late rollout says why: how far it is",
    },
  },
  {
    name: "made-workloads-have-no-pods",
    undoes: "A custom resource that stalls names the pods of the workloads that are made of it.",
    file: "services/restarter/src/reconcile/workload-pods.ts",
    find: `if (isOwn && made.kind !== "Job") yield made;`,
    becomes: `if (isOwn && made.kind === "") yield made;`,
    killedBy: {
      file: "test/stuck.test.ts",
      title:
        "a rollout that stalls names its pods, whatever makes them: in the event, to who asks, and on the workload",
    },
  },
  {
    name: "resumed-rollout-is-paused",
    undoes: "A Rollout that its owner has just resumed is not told as paused.",
    file: "libs/kube/src/workloads/argo-rollout.ts",
    find: `none && (byController || byOwner) ?`,
    becomes: `none && byController ?`,
    killedBy: {
      file: "libs/kube/src/workloads/argo-rollout.test.ts",
      title: "it is paused no more once its owner has resumed it, before its controller says so",
    },
  },
  {
    name: "stalled-before-the-verdict",
    undoes:
      "A rollout stalls only once its controller had time to say that its deadline is missed.",
    file: "services/restarter/src/decision/applied.ts",
    find: `deadlineMs + VERDICT_MS`,
    becomes: `deadlineMs`,
    killedBy: {
      file: "services/restarter/src/decision/advance.test.ts",
      title:
        "with a deadline of its controller of 60000 ms, a rollout after 60001 ms (progressing): undefined",
    },
  },
  {
    name: "stalled-keeps-quota",
    undoes: "A rollout that stalls gives its quota back at once.",
    file: "services/restarter/src/admission/admission.ts",
    find: `await note(queue, { key, rollout, releasesQuota: true, failedChanges });`,
    becomes: `await note(queue, { key, rollout, releasesQuota: false, failedChanges });`,
    killedBy: {
      file: "test/cases/kinds.test.ts",
      title: "a rollout that hangs on a dead node gives its place in the queue back (case 11)",
    },
  },
  {
    name: "stalled-gets-its-quota-again",
    undoes: "A rollout that has stalled gets no quota.",
    file: "services/restarter/src/operations/quota-repair.ts",
    find: `return isUnfinished && record.rollout?.stalled !== true ? record.rollout : undefined;`,
    becomes: `return isUnfinished ? record.rollout : undefined;`,
    killedBy: {
      file: "services/restarter/src/operations/quota-repair.test.ts",
      title: "the holder of quota is, where a rollout has none and has stalled, then undefined",
    },
  },
  {
    name: "resumed-counts-again",
    undoes: "A failure that is published again does not halt anew what was resumed meanwhile.",
    file: "services/restarter/src/operations/halts.ts",
    find: `withFailures(state, failures)`,
    becomes: `{ ...state, failures }`,
    killedBy: {
      file: "services/restarter/test/halt.test.ts",
      title:
        "a failure that is published again after a crash does not halt anew what was resumed meanwhile",
    },
  },
  {
    name: "cleared-counts-again",
    undoes: "A stall that is published again after the rollout has succeeded does not count.",
    file: "services/restarter/src/admission/end-recorder.ts",
    find: `before.counted?.includes(rollout) === true`,
    becomes: `before.counted === null`,
    killedBy: {
      file: "services/restarter/src/admission/end-recorder.test.ts",
      title: "a failure that is published again where it has succeeded counts as before",
    },
  },
  {
    name: "stalled-counts-twice",
    undoes: "A rollout that fails after it was reported as stalled counts once.",
    file: "services/restarter/src/decision/outcomes.ts",
    find: `const isCounted = rollout.startedAt === undefined || rollout.stalled === true;`,
    becomes: `const isCounted = rollout.startedAt === undefined;`,
    killedBy: {
      file: "services/restarter/src/decision/decide.test.ts",
      title: "if the queue has a quota, the end releases it and reports the failed changes",
    },
  },
  {
    name: "paused-keeps-its-place",
    undoes: "A paused workload gives its place in the queue back.",
    file: "services/restarter/src/operations/quota-repair.ts",
    find: `return unfinished(record)?.id === quotaUse.rollout && isRecent(ctx, quotaUse);`,
    becomes: `return unfinished(record)?.id === quotaUse.rollout;`,
    killedBy: {
      file: "test/cases/parked.test.ts",
      title:
        "a paused workload gives its place in the queue back, and takes one again when it is resumed (case 11, paused)",
    },
  },
  {
    name: "paused-gets-its-place-again",
    undoes: "A paused workload gets no quota before it is resumed.",
    file: "services/restarter/src/operations/quota-repair.ts",
    find: `return isYoung ? rollout : undefined;`,
    becomes: `return rollout;`,
    killedBy: {
      file: "test/cases/parked.test.ts",
      title:
        "a paused workload gives its place in the queue back, and takes one again when it is resumed (case 11, paused)",
    },
  },
  {
    name: "refused-pods-are-not-told",
    undoes: "Pods that a quota refuses are told with the cluster's own sentence.",
    file: "services/restarter/src/reconcile/workload-pods.ts",
    find: `const looks = isSuccess ? [leftOf] : [refusedOf, stuckOf];`,
    becomes: `const looks = isSuccess ? [leftOf] : [stuckOf];`,
    killedBy: {
      file: "test/cases/kinds.test.ts",
      title:
        "pods that a quota refuses are told with the cluster's own sentence, whatever kind they are of (case 10, pods)",
    },
  },
  {
    name: "blocking-pod-has-no-cure",
    undoes: "A pod of an earlier revision that blocks a StatefulSet is told with its cure.",
    file: "libs/kube/src/workloads/stuck-pods.ts",
    find: `return workload.kind === "StatefulSet" && isOrdered && own !== undefined && own !== revision;`,
    becomes: `return workload.kind === "StatefulSet" && isOrdered && own === undefined && own !== revision;`,
    killedBy: {
      file: "libs/kube/src/workloads/stuck-pods.test.ts",
      title: "what keeps pods from being ready: an earlier revision",
    },
  },
  {
    name: "pods-hold-an-end-back",
    undoes: "An end goes out without the names of pods where their list takes too long.",
    file: "services/restarter/src/reconcile/workload-pods.ts",
    find: `if (!(err instanceof KubeError) && !isAborted(err)) throw err;`,
    becomes: `if (!(err instanceof KubeError)) throw err;`,
    killedBy: {
      file: "services/restarter/test/kinds-apps.test.ts",
      title: "an end is told without the names of pods where the list of them gets no answer",
    },
  },
  {
    name: "old-trouble-fails",
    undoes: "A condition of an earlier generation fails no rollout.",
    file: "libs/kube/src/workloads/generic.ts",
    find: `return [...normal, ...wrong].some(`,
    becomes: `return normal.some(`,
    killedBy: {
      file: "libs/kube/src/workloads/custom.test.ts",
      title: "its status: stalled before",
    },
  },
  {
    name: "updated-is-ready",
    undoes: "A rollout of your own kind has not succeeded while its pods are not ready.",
    file: "libs/kube/src/workloads/generic.ts",
    find: `return ready < wanted ?`,
    becomes: `return ready < 0 ?`,
    killedBy: {
      file: "libs/kube/src/workloads/custom.test.ts",
      title: "its status: updated and not ready",
    },
  },
  {
    name: "refusal-waits-for-a-deadline",
    undoes: "What refuses the pods of a Deployment is told also while it has no deadline to miss.",
    file: "libs/kube/src/workloads/replicas.ts",
    find: `message: refused === undefined ? text :`,
    becomes: `message: refused !== "" ? text :`,
    killedBy: {
      file: "libs/kube/src/workloads/deployment.test.ts",
      title: "says what refuses the pods while it has no deadline to miss",
    },
  },
  {
    name: "message-goes-with-the-pods",
    undoes: "An end keeps its message where the list of the pods gets no answer.",
    file: "services/restarter/src/reconcile/workload-pods.ts",
    find: `if (descriptions.length === 0) return event;`,
    becomes: ``,
    killedBy: replayOf("list-of-pods-lost"),
  },
  {
    name: "no-deadline-is-68-years",
    undoes: `A Deployment without a progress deadline stalls like a StatefulSet.`,
    file: "libs/kube/src/workloads/progress-deadline.ts",
    find: `return seconds === NONE ? undefined : seconds * 1_000;`,
    becomes: `return seconds * 1_000;`,
    killedBy: {
      file: "libs/kube/src/workloads/deployment.test.ts",
      title: `a progress deadline of 2147483647 s is undefined ms`,
    },
  },
  {
    name: "referrer-keeps-its-template",
    undoes: `A workload whose template a Rollout no longer takes is its own again.`,
    file: "services/restarter/src/index/workload-index.ts",
    find: `if (left !== undefined && left !== target) release(left, key);`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/index/workload-index.test.ts",
      title: `a workload is its own again when its referrer takes the template of another, or has its own`,
    },
  },
  {
    name: "deadline-of-a-lent-template",
    undoes: "a Deployment behind a Rollout is late when the Rollout is",
    file: "services/restarter/src/rollout/roll.ts",
    find: "workload: ctx.index.referred(patched),",
    becomes: "workload: patched,",
    killedBy: STUCK,
  },
  {
    name: "pods-of-the-referrer-are-not-its-own",
    undoes: "the pods of a Rollout are named for the Deployment whose template it has",
    file: "services/restarter/src/reconcile/workload-pods.ts",
    find: `if (referrer !== undefined) yield referrer;`,
    becomes: `void referrer;`,
    killedBy: STUCK,
  },
  {
    name: "pods-of-a-cronjob-have-no-selector",
    undoes: "the pods of a CronJob's Job are named",
    file: "services/restarter/src/reconcile/workload-pods.ts",
    find: `kind.kind === "CronJob" ? JOB_NAME : podSelector(object);`,
    becomes: "podSelector(object);",
    killedBy: STUCK,
  },
  {
    name: "stall-makes-no-event",
    undoes: "a stall is told on the workload",
    file: "services/restarter/src/events/kube-events.ts",
    find: `  stalled: { type: "Warning", reason: "ReloadStalled" },`,
    becomes: "",
    killedBy: STUCK,
  },
  {
    name: "failure-of-before-is-ours",
    undoes: "A failure that was there before the patch is not told of its rollout.",
    file: "services/restarter/src/decision/rollout.ts",
    find: `if (status.state === "failed" && failureId(status) === rollout.failedBefore) {`,
    becomes: `if (status.state === "failed" && rollout.id === "") {`,
    killedBy: {
      file: "test/stuck.test.ts",
      title: "what a status says of the rollout before is not told of ours",
    },
  },
];
