import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const APPLIED = "services/restarter/src/decision/applied.ts";
const ERRORS = "services/restarter/src/rollout/apply-errors.ts";
const DECIDE_TEST = "services/restarter/src/decision/decide.test.ts";

/** A result that nobody knows stays known as that until the object says it. */
export const UNKNOWN_RESULT_MUTANTS: readonly Mutant[] = [
  {
    name: "last-try-without-a-look",
    undoes: "After the last attempt without a clear answer the object is read.",
    file: ERRORS,
    find: `if (await isDone()) throw new ConflictError("the workload has changed", { cause: err });`,
    becomes: ``,
    killedBy: replayOf("ambiguous-last-try"),
  },
  {
    name: "failed-though-nobody-knows",
    undoes: "While the API server does not answer that look either, the rollout stays pending.",
    file: ERRORS,
    find: `return { requeueAt: Date.now() + UNKNOWN_MS };`,
    becomes: ``,
    killedBy: replayOf("unanswered-look"),
  },
  {
    name: "late-patch-is-the-failed-one",
    undoes: "Applied after it was told as failed, a rollout has another id.",
    file: ERRORS,
    find: `id: stableId(id, "late")`,
    becomes: `id`,
    killedBy: {
      file: "services/restarter/src/rollout/apply-errors.test.ts",
      title:
        "a patch without an answer that was told as failed may still be applied, as another rollout",
    },
  },
  {
    name: "quota-race-is-a-refusal",
    undoes: "A quota that was counted by others at the same time refuses nothing.",
    file: ERRORS,
    find: `const isPassing = isTransient(err) || isQuotaRace(err);`,
    becomes: `const isPassing = isTransient(err) || (isQuotaRace(err) && false);`,
    killedBy: {
      file: "services/restarter/src/rollout/apply-errors.test.ts",
      title: "a quota that others count at the same time refuses nothing",
    },
  },
  {
    name: "opted-out-is-not-followed",
    undoes: "A rollout that may have begun is followed where its workload was opted out.",
    file: "services/restarter/src/reconcile/reconcile.ts",
    find: `return record.uid === uid && Date.now() < (mayApplyUntil(record) ?? 0);`,
    becomes: `return record.uid === uid && Date.now() < (mayApplyUntil(record) ?? 0) && false;`,
    killedBy: replayOf("opted-out-after-start"),
  },
  {
    name: "event-is-tried-once",
    undoes: "A Kubernetes Event that gets no answer is written again.",
    file: "services/restarter/src/events/kube-events.ts",
    find: `attempt >= ATTEMPTS`,
    becomes: `attempt >= 1`,
    killedBy: {
      file: "services/restarter/test/kube-events.test.ts",
      title:
        "a Kubernetes Event is there once, whatever becomes of the first three tries to write it",
    },
  },
  {
    name: "failed-patch-is-never-applied",
    undoes: "A rollout that failed without an answer may still be applied: it is unconfirmed.",
    file: ERRORS,
    find: `const next = isTransient(err) ? withUnconfirmed(ended, late) : ended;`,
    becomes: `const next = ended;`,
    killedBy: {
      file: "services/restarter/src/rollout/apply-errors.test.ts",
      title:
        "a patch without an answer that was told as failed may still be applied, as another rollout",
    },
  },
  {
    name: "unanswered-patch-is-dropped",
    undoes:
      "A rollout that is dropped while its result is unknown stays in the record as unconfirmed.",
    file: APPLIED,
    find: `const all = isDropped ? withUnconfirmed(record, dropped) : record;`,
    becomes: `const all = record;`,
    killedBy: replayOf("unanswered-patch-is-dropped"),
  },
  {
    name: "applied-patch-is-not-adopted",
    undoes: "A pending rollout whose marker the workload shows is adopted.",
    file: APPLIED,
    find: `return [...(decided === undefined ? [] : [decided]), ...(record.unconfirmed ?? [])];`,
    becomes: `return record.unconfirmed ?? [];`,
    killedBy: {
      file: DECIDE_TEST,
      title:
        "a pending record past its guard with the wanted marker was patched: it is followed, and its start is reported",
    },
  },
  {
    name: "unconfirmed-is-not-adopted",
    undoes: "An unconfirmed rollout whose marker the workload shows is adopted.",
    file: APPLIED,
    find: `return [...(decided === undefined ? [] : [decided]), ...(record.unconfirmed ?? [])];`,
    becomes: `return decided === undefined ? [] : [decided];`,
    killedBy: replayOf("unanswered-patch-is-dropped"),
  },
  {
    name: "unconfirmed-after-its-guard",
    undoes: "An unconfirmed rollout is kept until the workload has passed its guard.",
    file: APPLIED,
    find: `return workload.rollBy !== "recreate" && rollout.guard >= workload.generation;`,
    becomes: `return workload.rollBy !== "recreate" && rollout.guard > workload.generation;`,
    killedBy: replayOf("unanswered-patch-is-dropped"),
  },
  {
    name: "other-content-has-the-same-id",
    undoes: "A rollout of other content has another id: both may have been applied.",
    file: "services/restarter/src/decision/rollout.ts",
    find: `const pending = isSame ? before : undefined;`,
    becomes: `const pending = before;`,
    killedBy: {
      file: DECIDE_TEST,
      title:
        "other content than a pending record has is another rollout, and both may have been applied",
    },
  },
  {
    name: "answer-is-dropped-in-a-race",
    undoes:
      "Who has the answer of a patch records the rollout in whatever record is there by then.",
    file: "services/restarter/src/rollout/record-started.ts",
    find: `if (!(err instanceof ConflictError)) throw err;`,
    becomes: `throw err;`,
    killedBy: replayOf("opted-out-as-it-begins"),
  },
  {
    name: "opted-out-before-the-record",
    undoes: "A rollout that was applied is recorded where its record was removed meanwhile.",
    file: APPLIED,
    find: `if (written === undefined) return began;`,
    becomes: `if (written === undefined) return undefined;`,
    killedBy: replayOf("opted-out-as-it-begins"),
  },
  {
    name: "patch-of-any-object",
    undoes: "A patch is guarded by the uid of the object that it was decided on.",
    file: "libs/kube/src/patch.ts",
    find: `{ op: "test", path: "/metadata/uid", value: uid },`,
    becomes: ``,
    killedBy: replayOf("guard-without-uid"),
  },
  {
    name: "patch-of-any-spec",
    undoes: "A patch is guarded by the generation that it was decided on.",
    file: "libs/kube/src/patch.ts",
    find: `{ op: "test", path: "/metadata/generation", value: generation },`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/rollout/template-patch.test.ts",
      title: "the strategy marker writes the marker alone",
    },
  },
  {
    name: "restored-record-counts",
    undoes: "A marker of Rollcast's own that the record does not have is newer: NATS was restored.",
    file: "services/restarter/src/decision/running-content.ts",
    find: `return { digests: isNewer ? read() : new Map(), isNewer };`,
    becomes: `return { digests: new Map(), isNewer: false };`,
    killedBy: replayOf("restored-after-rollout"),
  },
  {
    name: "quota-of-a-late-record",
    undoes: "Who stood still before his record was written asks for his quota once more.",
    file: "services/restarter/src/rollout/roll.ts",
    find: `const isLate = Date.now() - reservedAt > UNRECORDED_QUOTA_MS / 2;`,
    becomes: `const isLate = Date.now() < reservedAt;`,
    killedBy: replayOf("stopped-with-quota"),
  },
  {
    name: "quota-of-an-unanswered-record",
    undoes: "Quota whose record was written without an answer is not given to others.",
    file: "services/restarter/src/rollout/roll.ts",
    find: `if (!(err instanceof ConflictError)) unwritten = undefined;`,
    becomes: ``,
    killedBy: replayOf("quota-released-unanswered"),
  },
  {
    name: "late-answer-is-newer",
    undoes: "An answer that is older than what the watch has shown since changes nothing.",
    file: "services/restarter/src/index/workload-index.ts",
    find: `ended.isGone(workload.uid) : !isOlder(newest, workload)) return;`,
    becomes: `ended.isGone(workload.uid) : !isOlder(newest, workload)) return put(workload);`,
    killedBy: {
      file: "services/restarter/src/index/workload-index.test.ts",
      title: "never goes back to an older version, except of another uid that is listed or watched",
    },
  },
  {
    name: "pending-at-a-closed-gate",
    undoes: "A rollout that is decided and not begun says that it waits for a gate.",
    file: "services/restarter/src/decision/decide.ts",
    find: `return blocked === undefined ? { do: "roll", record: { ...record, rollout } } : wait(blocked);`,
    becomes: `return { do: blocked === undefined ? "roll" : "wait", record: { ...record, rollout }, until: blocked?.at } as Decided;`,
    killedBy: replayOf("pending-at-gate"),
  },
];
