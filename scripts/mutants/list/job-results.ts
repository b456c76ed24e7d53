import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const APPLIED = "services/restarter/src/decision/applied.ts";
const JOBS = "services/restarter/src/rollout/jobs.ts";
const RECONCILE_TEST = "services/restarter/src/reconcile/reconcile.test.ts";

/** A Job that we make is made once, and one that we delete is made again. */
export const JOB_RESULT_MUTANTS: readonly Mutant[] = [
  {
    name: "opted-out-job-is-not-followed",
    undoes: "A Job that was made again is followed where it was opted out.",
    file: "services/restarter/src/reconcile/reconcile.ts",
    find: `return madeBy !== undefined && madeBy === record.recreate?.rollout.id;`,
    becomes: `return false;`,
    killedBy: replayOf("made-job-is-opted-out"),
  },
  {
    name: "manifest-goes-with-what-is-due",
    undoes: "A Job that may still be deleted keeps its manifest where nothing is due any more.",
    file: "services/restarter/src/decision/decide.ts",
    find: `hold: _hold, failure,`,
    becomes: `hold: _hold, recreate: _recreate, failure,`,
    killedBy: replayOf("job-content-back-as-it-is-deleted"),
  },
  {
    name: "manifest-goes-with-newer-content",
    undoes: "A Job that may still be deleted keeps its manifest where newer content is rolled.",
    file: "services/restarter/src/decision/decide.ts",
    find: `let base = record;`,
    becomes: `let base = { ...record, recreate: undefined };`,
    killedBy: replayOf("job-changed-as-it-is-deleted"),
  },
  {
    name: "late-job-by-another-name",
    undoes: "Told as failed, a Job without an answer is looked for by the name it was asked for.",
    file: APPLIED,
    find: `export function jobIdOf({ id, madeAs = id }: Rollout): string {\n  return madeAs;`,
    becomes: `export function jobIdOf({ id, madeAs = id }: Rollout): string {\n  return madeAs === id ? madeAs : id;`,
    killedBy: {
      file: "services/restarter/src/rollout/apply-errors.test.ts",
      title: "a Job without an answer keeps its name, also after it was told as failed again",
    },
  },
  {
    name: "run-job-is-not-looked-for",
    undoes: "Whether a Job of a CronJob was made without an answer is asked for by its name.",
    file: "services/restarter/src/reconcile/evaluate.ts",
    find: `if (made !== "gone" && made?.madeBy === jobIdOf(rollout)) ids.add(rollout.id);`,
    becomes: ``,
    killedBy: replayOf("run-job-is-dropped"),
  },
  {
    name: "job-made-again-is-not-looked-for",
    undoes:
      "A Job whose making again had no answer on the last attempt is looked for before it fails.",
    file: JOBS,
    find: `return present !== undefined && present.uid !== value.uid;`,
    becomes: `return present === undefined;`,
    killedBy: replayOf("unanswered-job"),
  },
  {
    name: "manifest-is-not-kept",
    undoes: "The manifest of a Job is in its record before it is deleted.",
    file: JOBS,
    find: `at = await keepManifest(ctx, pending, object);`,
    becomes: `void keepManifest;`,
    killedBy: replayOf("restored-while-made-again"),
  },
  {
    name: "refused-deletion-keeps-the-manifest",
    undoes: "A Job that was not deleted keeps nothing in its record that could make it again.",
    file: JOBS,
    find: `const clean = kept === undefined || look === undefined ? at : await commit(ctx, at, value);`,
    becomes: `const clean = at;`,
    killedBy: {
      file: "services/restarter/test/api-answers.test.ts",
      title: "delete-denied-409: a refusal is reported once, and tried later",
    },
  },
  {
    name: "opted-out-job-keeps-its-manifest",
    undoes: "A Job that is opted out before it is deleted keeps nothing that could make it again.",
    file: "services/restarter/src/reconcile/reconcile.ts",
    find: `if (record.recreate === undefined || isKept) {`,
    becomes: `if (record.recreate === undefined) {`,
    killedBy: replayOf("opted-out-job-keeps-manifest"),
  },
  {
    name: "held-job-keeps-its-manifest",
    undoes: "A Job whose making again is held for long keeps nothing that could make it again.",
    file: APPLIED,
    find: `const { unconfirmed, ...rest } = isKept ? withoutRecreate(all) : all;`,
    becomes: `const { unconfirmed, ...rest } = all;`,
    killedBy: replayOf("manifest-kept-while-halted"),
  },
  {
    name: "job-between-two-looks-is-gone",
    undoes:
      "The record of a Job is read before the Job: one that is made again between is not gone.",
    file: "services/restarter/src/reconcile/reconcile.ts",
    find: `    const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));
    const workload = ctx.index.get(key) ?? (await readWorkload(ctx, key));`,
    becomes: `    const workload = ctx.index.get(key) ?? (await readWorkload(ctx, key));
    const entry = await ctx.records.get(recordKey(ctx.cluster, splitKey(key)));`,
    killedBy: {
      file: RECONCILE_TEST,
      title: "a Job that is made again by another replica while it is looked for is not gone",
    },
  },
  {
    name: "late-not-found-forgets-the-new",
    undoes: "A workload that was made again since it was not found is not forgotten.",
    file: "services/restarter/src/reconcile/evaluate.ts",
    find: `if (ctx.index.last(key) !== before) return ctx.index.get(key);`,
    becomes: ``,
    killedBy: {
      file: RECONCILE_TEST,
      title:
        "a workload that is made again before it is heard that it was not found is not forgotten",
    },
  },
  {
    name: "job-suspended-as-it-is-deleted",
    undoes: "A Job that is suspended while its deletion may come is not told as skipped.",
    file: "services/restarter/src/decision/decide.ts",
    find: `if (isJob && record.recreate !== undefined && !isDeletionOver(record, s.now)) {`,
    becomes: `if (passed && record.recreate === undefined && isDeletionOver(record, s.now)) {`,
    killedBy: {
      file: "services/restarter/src/decision/decide-batch.test.ts",
      title: "that is suspended while its deletion may come is not passed over until that is over",
    },
  },
];
