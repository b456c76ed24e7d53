import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const PLAN = "services/restarter/src/queue/plan.ts";
const OUTCOMES = "services/restarter/src/decision/outcomes.ts";
const DECIDE = "services/restarter/src/decision/decide.ts";
const PLANNED_TEST = "services/restarter/src/decision/planned.test.ts";
const PARTIAL_TEST = "services/restarter/src/decision/partial.test.ts";

/** Rollouts that end before their pods are replaced, and plans that come to nothing. */
export const EARLY_END_MUTANTS: readonly Mutant[] = [
  {
    name: "left-pods-are-forgotten",
    undoes: "While an ended rollout has left pods, a marker that goes makes their content unknown.",
    file: "services/restarter/src/decision/applied.ts",
    find: `return isPartial ? { ...rest, partial: true as const } : rest;`,
    becomes: `return rest;`,
    killedBy: replayOf("marker-removed-after-supersede"),
  },
  {
    name: "left-pods-are-kept-in-mind-at-rest",
    undoes: "What an ended rollout has left counts until the workload is at rest.",
    file: "services/restarter/src/decision/applied.ts",
    find: `!isAtRest(workload);`,
    becomes: `workload.uid !== "";`,
    killedBy: {
      file: PARTIAL_TEST,
      title: "what was ended early counts until the workload is at rest",
    },
  },
  {
    name: "failure-is-forgotten-in-a-wait",
    undoes: "Content that failed, and is wanted again after a wait, is not current.",
    file: DECIDE,
    find: `phase: isFailed ? "failed" : "current"`,
    becomes: `phase: "current"`,
    killedBy: {
      file: PARTIAL_TEST,
      title: "content that has failed is failed again once nothing else waits",
    },
  },
  {
    name: "plan-is-not-kept",
    undoes: "A record says that a change was planned before the event does.",
    file: PLAN,
    find: `  await commit(ctx, entry, { ...record, planned: plan });`,
    becomes: `  if (record.name === "") await commit(ctx, entry, { ...record, planned: plan });`,
    killedBy: replayOf("plan-without-an-end"),
  },
  {
    name: "second-plan-is-not-kept",
    undoes: "A plan is recorded also where there is one: its end names it, and it is told once.",
    file: PLAN,
    find: `  await commit(ctx, entry, { ...record, planned: plan });`,
    becomes: `  if (record.planned !== undefined) return;
  await commit(ctx, entry, { ...record, planned: plan });`,
    killedBy: {
      file: "services/restarter/src/queue/plan.test.ts",
      title: "a plan is recorded beside the one before, and its cause is that of the end of both",
    },
  },
  {
    name: "plan-of-a-first-look-is-not-kept",
    undoes: "A workload that has no record yet has one before it is planned.",
    file: PLAN,
    find: `  const record = entry?.value ?? firstRecord(decided);`,
    becomes: `  if (entry === undefined) return;
  const record = entry.value;
  firstRecord(decided);`,
    killedBy: {
      file: "services/restarter/test/plan.test.ts",
      title: "a rollout that is planned at the first look, and needed no more, has its end",
    },
  },
  {
    name: "plan-ends-untold",
    undoes: "What was planned and is not needed is told.",
    file: OUTCOMES,
    find: `  if (plan === undefined) return record;`,
    becomes: `  if (plan === undefined || reason !== "Deleted") return record;`,
    killedBy: {
      file: PLANNED_TEST,
      title: "what was planned has an end where the content of before came back",
    },
  },
  {
    name: "plan-beside-a-rollout-ends-twice",
    undoes: "A plan of the content that is being rolled ends with the rollout.",
    file: DECIDE,
    find: `if (before.phase === "rolling") return { ...record, planned: undefined };`,
    becomes: ``,
    killedBy: {
      file: PLANNED_TEST,
      title: "a plan that comes while a rollout of its content is under way ends with that",
    },
  },
  {
    name: "only-the-last-end-is-known",
    undoes: "A replica that stood still while its rollout and the next one ended adds nothing.",
    file: "services/restarter/src/decision/applied.ts",
    find: `present.last?.rollout === rollout.id || present.ended?.includes(rollout.id) === true`,
    becomes: `present.last?.rollout === rollout.id`,
    killedBy: replayOf("ended-by-another"),
  },
  {
    name: "rollout-of-before-a-restore-left-no-pods",
    undoes: "A marker that only the workload has may be of a rollout that goes on.",
    file: "services/restarter/src/decision/applied.ts",
    find: `before?.partial === true || isMarkerNews;`,
    becomes: `before?.partial === true || (isMarkerNews && record.name === "");`,
    killedBy: {
      file: PARTIAL_TEST,
      title: "a rollout that only its marker tells of may go on",
    },
  },
  {
    name: "restored-record-is-of-a-newer-job",
    undoes: "A record of another uid may be of a Job that was there before: NATS was restored.",
    file: "services/restarter/src/rollout/record-started.ts",
    find: `return (await readWorkload(ctx, workloadKey(began)))?.uid === began.uid;`,
    becomes: `return (await readWorkload(ctx, workloadKey(began)))?.uid === written.uid;`,
    killedBy: replayOf("restored-as-job-is-made"),
  },
  {
    name: "put-off-is-forgotten-by-adoption",
    undoes: "What waits goes on waiting where a rollout of before turns out to be applied.",
    file: "services/restarter/src/decision/applied.ts",
    find: `due: record.phase === "deferred" ? due : undefined,`,
    becomes: `due: record.phase === "failed" ? due : undefined,`,
    killedBy: {
      file: "services/restarter/src/decision/decide.test.ts",
      title: "what is put off waits on, and is told once, where the rollout of before was applied",
    },
  },
  {
    name: "marker-that-is-gone-is-ours",
    undoes: "A marker that admission takes off in a request of others is nobody's.",
    file: "services/restarter/src/index/project-workload.ts",
    find: `  if (kind.template(object)?.metadata?.annotations?.[MARKER] === undefined) return false;`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/index/project-workload.test.ts",
      title: "a marker that admission took off is nobody's",
    },
  },
  {
    name: "another-object-is-looked-at-again-and-again",
    undoes: "Only the record's own object ends what it says of left pods.",
    file: "services/restarter/src/reconcile/progress-watch.ts",
    find: `const isSame = record.uid === workload.uid;`,
    becomes: `const isSame = record.uid !== "";`,
    killedBy: {
      file: "services/restarter/src/reconcile/progress-watch.test.ts",
      title:
        "pods that an ended rollout has left and that were another's, before it was made again: 0 looks",
    },
  },
  {
    name: "surplus-pods-count-as-updated",
    undoes: "A StatefulSet that is scaled down in mid-rollout is complete when its own pods are.",
    file: "libs/kube/src/workloads/statefulset.ts",
    find: `const lasting = Math.max(0, updated - surplus);`,
    becomes: `const lasting = Math.max(updated, surplus - surplus);`,
    killedBy: {
      file: "libs/kube/src/workloads/statefulset.test.ts",
      title: "scaled down before pod 0 is updated",
    },
  },
  {
    name: "started-after-deletion",
    undoes: "Who has the answer of a patch late makes no record of a workload that is gone.",
    file: "services/restarter/src/rollout/record-started.ts",
    find: `if (present === undefined && !(await isThere(ctx, of.began))) return false;`,
    becomes: ``,
    killedBy: replayOf("started-after-deletion"),
  },
  {
    name: "argo-phase-of-before",
    undoes: "A Rollout has not succeeded with the template of before the patch.",
    file: "libs/kube/src/workloads/argo-rollout.ts",
    find: `revision: (object) => text(object, "status", "currentPodHash"),`,
    becomes: ``,
    killedBy: replayOf("argo-scale-hides-patch"),
  },
  {
    name: "refused-plan-has-no-end",
    undoes: "What is planned anew, and refused as before, is told once more.",
    file: "services/restarter/src/decision/outcomes.ts",
    find: `const reported = isSame && record.planned === undefined;`,
    becomes: `const reported = isSame;`,
    killedBy: replayOf("planned-anew-and-refused"),
  },
  {
    name: "plan-that-failed-comes-again",
    undoes: "A plan that was told as failed is not told again when its event comes again.",
    file: PLAN,
    find: `if (failure?.plans?.includes(plannedEvent.id) === true) return enqueue();`,
    becomes: ``,
    killedBy: replayOf("plan-comes-again-and-fails"),
  },
  {
    name: "failed-before-the-patch",
    undoes: "A failure between the decision and the patch is not that of the rollout.",
    file: "services/restarter/src/decision/applied.ts",
    find: `failedBefore: failedBefore ?? rollout.failedBefore,`,
    becomes: ``,
    killedBy: {
      file: PARTIAL_TEST,
      title: "a failure that the status still tells of an earlier generation is none of a rollout",
    },
  },
  {
    name: "failed-before-the-last-patch",
    undoes: "Nor is one that the status still tells of an earlier generation.",
    file: "services/restarter/src/decision/rollout.ts",
    find: `if (status.state === "unobserved" && status.before !== undefined) return failureId(status.before);`,
    becomes: ``,
    killedBy: {
      file: PARTIAL_TEST,
      title: "a failure that the status still tells of an earlier generation is none of a rollout",
    },
  },
  {
    name: "same-record-is-written-again",
    undoes: "A record that says the same as before is not written, in whatever order it is read.",
    file: "services/restarter/src/decision/decide.ts",
    find: `Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));`,
    becomes: `Object.entries(record);`,
    killedBy: {
      file: PARTIAL_TEST,
      title: "a record that says the same is not written again, in whatever order it is read",
    },
  },
  {
    name: "orphaned-pods-are-done",
    undoes: "A rollout of a workload that lets its pods go is not told as succeeded.",
    file: "services/restarter/src/decision/rollout.ts",
    find: `if (workload.orphans === true && workload.finished !== true) return record;`,
    becomes: ``,
    killedBy: replayOf("left-without-its-pods"),
  },
];
