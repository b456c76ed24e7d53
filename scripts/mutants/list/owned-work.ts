import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const DECIDE = "services/restarter/src/decision/decide.ts";
const BATCH_TEST = "services/restarter/src/decision/decide-batch.test.ts";

/** Work that somebody else has started is not ended, and not started twice. */
export const OWNED_WORK_MUTANTS: readonly Mutant[] = [
  {
    name: "owned-job-is-recreated",
    undoes: "A running Job of another controller is not deleted.",
    file: DECIDE,
    find: `if (owned !== undefined && workload.hold === undefined) {`,
    becomes: `if (owned !== undefined && workload.hold === "") {`,
    killedBy: {
      file: BATCH_TEST,
      title: "is left to it while it runs: skipped once per content, and its pods keep theirs",
    },
  },
  {
    name: "owned-job-is-stale",
    undoes: "What is left to its controller counts as no stale workload.",
    file: DECIDE,
    find: `const left = withoutDeferral(fulfilled);`,
    becomes: `const left = fulfilled;`,
    killedBy: {
      file: BATCH_TEST,
      title: "is left to it while it runs: skipped once per content, and its pods keep theirs",
    },
  },
  {
    name: "finished-owned-job-is-skipped",
    undoes: "A Job of another controller that has ended is passed over without an event.",
    file: "services/restarter/src/model/verdict.ts",
    find: `isOwnedJob(workload) && workload.finished === true`,
    becomes: `isOwnedJob(workload) && workload.deleting`,
    killedBy: {
      file: BATCH_TEST,
      title: "is left to it when it has run to its end, without a word",
    },
  },
  {
    name: "hook-is-run-again",
    undoes: "A hook of Helm or Argo CD is not run again by a change that it does not name.",
    file: "services/restarter/src/model/verdict.ts",
    find: `applies: ({ workload }) => workload.hook === true,`,
    becomes: `applies: () => false,`,
    killedBy: { file: BATCH_TEST, title: "that has ended is left alone, though it has auto" },
  },
  {
    name: "hook-is-ended",
    undoes: "A hook that runs is not deleted, though it names the source.",
    file: DECIDE,
    find: `workload.hook === true && workload.finished !== true`,
    becomes: `false`,
    killedBy: {
      file: BATCH_TEST,
      title: "that names the source is run again when it has ended, and not ended for it",
    },
  },
  {
    name: "awaited-hook-is-passed-over",
    undoes: "A hook that names the source is run again when it has ended.",
    file: DECIDE,
    find: `workload.rollBy === "recreate" && waits === "Suspended"`,
    becomes: `workload.rollBy === "recreate"`,
    killedBy: {
      file: BATCH_TEST,
      title: "that names the source is run again when it has ended, and not ended for it",
    },
  },
  {
    name: "argo-hook-is-any-job",
    undoes: "A hook of Argo CD is a hook as one of Helm.",
    file: "libs/kube/src/workloads/job.ts",
    find: `["helm.sh/hook", "argocd.argoproj.io/hook"]`,
    becomes: `["helm.sh/hook"]`,
    killedBy: {
      file: "libs/kube/src/workloads/batch.test.ts",
      title: "a Job annotated argocd.argoproj.io/hook: PreSync is a hook: true",
    },
  },
  {
    name: "replace-runs-two",
    undoes: "A CronJob that replaces its runs has one at a time.",
    file: "libs/kube/src/workloads/cronjob.ts",
    find: `new Set(["Forbid", "Replace"])`,
    becomes: `new Set(["Forbid"])`,
    killedBy: {
      file: "libs/kube/src/workloads/batch.test.ts",
      title: "a CronJob waits: one may be replaced",
    },
  },
  {
    name: "marked-template-waits-for-a-run",
    undoes: "A CronJob whose template is only marked waits for none of its runs.",
    file: DECIDE,
    find: `if (workload.hold === "Running" && workload.rollBy === "patch") return undefined;`,
    becomes: ``,
    killedBy: {
      file: BATCH_TEST,
      title: "that runs one Job at a time (Replace) waits for its schedule's",
    },
  },
  {
    name: "run-beside-a-newer-run",
    undoes: "A Job that began after the decision is not joined by ours.",
    file: "services/restarter/src/rollout/jobs.ts",
    find: `if (kind.hold?.(cronJob) !== undefined) {`,
    becomes: `if (kind.hold?.(cronJob) === "Suspended") {`,
    killedBy: {
      file: "services/restarter/src/rollout/jobs.test.ts",
      title: "no Job is run where its schedule has begun one since the decision",
    },
  },
  {
    name: "unlisted-run-is-passed-over",
    undoes: "A Job of a CronJob is waited for before the CronJob's status lists it.",
    file: DECIDE,
    find: `record.phase === "rolling" || s.isRunning === true;`,
    becomes: `record.phase === "rolling";`,
    killedBy: {
      file: BATCH_TEST,
      title: "whose status lists no run, Forbid, with an unfinished Job true: keep",
    },
  },
  {
    name: "run-beside-an-unlisted-run",
    undoes: "A Job that began after the decision is not joined by ours before it is listed.",
    file: "services/restarter/src/rollout/jobs.ts",
    find: `if (workload.exclusive === true && others.some(isUnfinished)) {`,
    becomes: `if (others.length < 0) {`,
    killedBy: {
      file: "services/restarter/src/rollout/jobs.test.ts",
      title: "beside a Job that its schedule has begun and no status lists: one is tried: false",
    },
  },
  {
    name: "unlisted-run-is-not-kept",
    undoes: "The Jobs that a schedule has begun are in the index until they end.",
    file: "services/restarter/src/index/kind-watch.ts",
    find: `isRun(workload) || `,
    becomes: ``,
    killedBy: {
      file: "services/restarter/test/kinds-batch.test.ts",
      title:
        "a Job of a CronJob that its status does not list yet is waited for, with Forbid and Replace",
    },
  },
  {
    name: "own-run-is-not-counted",
    undoes: "The CronJob controller counts a Job that Rollcast has run.",
    file: "services/restarter/src/rollout/jobs.ts",
    find: `if (isAlone) await addActive(ctx, kind, cronJob, made);`,
    becomes: `void isAlone; void addActive;`,
    killedBy: {
      file: "services/restarter/test/kinds-batch.test.ts",
      title:
        "a schedule that comes while our Job runs begins none beside it, with Forbid, or replaces it",
    },
  },
  {
    name: "active-jobs-are-overwritten",
    undoes: "The Jobs that the CronJob controller has listed meanwhile stay listed.",
    file: "services/restarter/src/rollout/active-job.ts",
    find: `    read = undefined;`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/rollout/active-job.test.ts",
      title: "what the controller has written meanwhile stays",
    },
  },
  {
    name: "owner-of-another-group",
    undoes: "A kind of another API group is not the watched one of its name.",
    file: "services/restarter/src/model/rules.ts",
    find: "watched.has(`${group}/${kind}`)",
    becomes: "group !== undefined && [...watched].some((name) => name.endsWith(`/${kind}`))",
    killedBy: {
      file: "services/restarter/src/model/verdict.test.ts",
      title: "what a kind of another group owns is rolled itself, whatever the kind's name",
    },
  },
  {
    name: "owned-job-counts-as-affected",
    undoes: "A change is said to affect what it rolls, not what is left to a controller.",
    file: "services/restarter/src/model/verdict.ts",
    find: `    if (isOwnedJob(workload)) return false;\n`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/model/affected-workloads.test.ts",
      title: "a change affects all that may roll, if no keys are known",
    },
  },
  {
    name: "suspended-is-stopped",
    undoes: "A suspended Job is passed over once its controller has stopped its pods.",
    file: "services/restarter/src/decision/decide.ts",
    find: `const isPassed = isJob && workload.stopped === true;`,
    becomes: `const isPassed = isJob;`,
    killedBy: replayOf("skipped-after-resume"),
  },
  {
    name: "suspended-by-the-index",
    undoes: "That a Job is suspended is asked of the API server before it is passed over.",
    file: "services/restarter/src/decision/decide.ts",
    find: `    // It may have been resumed meanwhile, with pods of before the change.
    if (!s.trusted) return { do: "requeue", refetch: true };`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/decision/decide-batch.test.ts",
      title: "that is suspended reads the content present when it starts: reported as skipped",
    },
  },
  {
    name: "held-by-what-is-over",
    undoes: "What waits for a gate, as a freeze, is not told as held by its workload, too.",
    file: "services/restarter/src/decision/outcomes.ts",
    find: `const { hold: _hold, ...released } = before;`,
    becomes: `const released = before;`,
    killedBy: replayOf("held-by-what-is-over"),
  },
  {
    name: "restored-while-it-runs",
    undoes: "After a restore of NATS the Job that a CronJob waits for says what it has run with.",
    file: "services/restarter/src/reconcile/evaluate.ts",
    find: `const isDone = decision.do === "keep" && decision.record.hold === undefined;`,
    becomes: `const isDone = decision.do === "keep";`,
    killedBy: {
      file: "services/restarter/test/model/nothing-new.test.ts",
      title: "nothing new: NATS is restored while a Job runs that its CronJob waits for",
    },
  },
];
