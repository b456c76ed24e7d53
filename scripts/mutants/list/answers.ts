import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const ERRORS = "services/restarter/src/rollout/apply-errors.ts";
const ERRORS_TEST = "services/restarter/src/rollout/apply-errors.test.ts";
const KUBE_ERROR = "libs/kube/src/kube-error.ts";
const KUBE_ERROR_TEST = "libs/kube/src/kube-error.test.ts";

/** Answers of the API server. */
export const ANSWER_MUTANTS: readonly Mutant[] = [
  {
    name: "answer-brings-back-what-is-gone",
    undoes:
      "A workload that the watch has shown to be gone stays gone, whatever answer comes later.",
    file: "services/restarter/src/index/workload-index.ts",
    find: `newest === undefined ? ended.isGone(workload.uid) : `,
    becomes: `newest !== undefined && `,
    killedBy: {
      file: "services/restarter/src/index/workload-index.test.ts",
      title: "an answer of before brings no workload back that the watch has shown to be gone",
    },
  },
  {
    name: "refused-status-ends-the-rollout",
    undoes: "A Job that was made is followed, whatever becomes of the status of its CronJob.",
    file: "services/restarter/src/rollout/active-job.ts",
    find: `    if (!(err instanceof KubeError)) throw thrown;`,
    becomes: `    if (err instanceof KubeError) throw err;`,
    killedBy: {
      file: "services/restarter/src/rollout/active-job.test.ts",
      title: "a patch that is refused is said, and the Job runs",
    },
  },
  {
    name: "refusal-is-a-lost-race",
    undoes: "An answer is a refusal where the object still is as decided on, whatever its status.",
    file: ERRORS,
    find: `reason: look === "as-decided" ? "Refused" : "Conflict", look`,
    becomes: `reason: "Conflict", look`,
    killedBy: {
      file: ERRORS_TEST,
      title: "of an answer about an object that is as it was decided on the look decides",
    },
  },
  {
    name: "lost-race-is-a-refusal",
    undoes: "An answer is a lost race where the object has changed since the decision.",
    file: ERRORS,
    find: `reason: look === "as-decided" ? "Refused" : "Conflict", look`,
    becomes: `reason: "Refused", look`,
    killedBy: replayOf("lost-race-is-failed"),
  },
  {
    name: "look-at-another-object",
    undoes: "An object of the same name and generation is another one by its uid.",
    file: ERRORS,
    find: `present.uid === workload.uid && present.generation === workload.generation;`,
    becomes: `present.generation === workload.generation;`,
    killedBy: replayOf("guard-without-uid"),
  },
  {
    name: "redirect-is-an-answer",
    undoes: "A redirect, and an answer that was cut, says nothing of what was to be written.",
    file: "libs/kube/src/kube-error.ts",
    find: `return status < 400 || status === 408 ||`,
    becomes: `return status === 408 ||`,
    killedBy: {
      file: ERRORS_TEST,
      title:
        "an answer 307 says nothing of what was to be written, and the object is not looked at",
    },
  },
  {
    name: "time-out-408-is-a-refusal",
    undoes: "A 408 is tried again.",
    file: "libs/kube/src/kube-error.ts",
    find: `status === 408 || `,
    becomes: ``,
    killedBy: {
      file: ERRORS_TEST,
      title:
        "an answer 408 says nothing of what was to be written, and the object is not looked at",
    },
  },
  {
    name: "failures-are-not-counted",
    undoes: "Each failure of a patch is counted by what it was.",
    file: ERRORS,
    find: `ctx.metrics.patchErrors.inc({ reason: classified.reason });`,
    becomes: ``,
    killedBy: {
      file: ERRORS_TEST,
      title:
        "an answer 503 says nothing of what was to be written, and the object is not looked at",
    },
  },
  {
    name: "forbidden-look-is-no-answer",
    undoes: "Where the object may not be looked at, the answer is all there is: a refusal.",
    file: ERRORS,
    find: `return { reason: isUnavailable ? "Unavailable" : "Refused" };`,
    becomes: `return { reason: "Unavailable" };`,
    killedBy: {
      file: ERRORS_TEST,
      title: "of an answer about an object that is not to be looked at the look decides",
    },
  },
  {
    name: "unanswered-look-is-a-refusal",
    undoes: "A look that has no answer itself leaves open what the answer meant.",
    file: ERRORS,
    find: `return { reason: isUnavailable ? "Unavailable" : "Refused" };`,
    becomes: `return { reason: "Refused" };`,
    killedBy: {
      file: ERRORS_TEST,
      title: "of an answer about an object that is not to be had the look decides",
    },
  },
  {
    name: "retry-after-without-end",
    undoes: "A `Retry-After` is obeyed for two minutes at most.",
    file: KUBE_ERROR,
    find: `this.retryAfterMs = Math.min(retryAfterMs, MAX_RETRY_AFTER_MS);`,
    becomes: `this.retryAfterMs = retryAfterMs;`,
    killedBy: {
      file: KUBE_ERROR_TEST,
      title: "a wait of 121 s in the Status, undefined ms in the header, is 120000 ms",
    },
  },
  {
    name: "any-code-is-a-status",
    undoes: "A code in a Status that is none of an error does not count.",
    file: KUBE_ERROR,
    find: `const number = isErrorStatus(code) ? code : fallback;`,
    becomes: `const number = typeof code === "number" ? code : fallback;`,
    killedBy: {
      file: KUBE_ERROR_TEST,
      title: "a code that is none of an error (200) does not count",
    },
  },
  {
    name: "half-a-refusal-is-whole",
    undoes: "A refusal that was cut is heard out by another try, so that its sentence is told.",
    file: "libs/kube/src/transport.ts",
    find: `if (err instanceof SyntaxError || isTooLarge) return undefined;`,
    becomes: `return undefined;`,
    killedBy: {
      file: "libs/kube/src/transport.test.ts",
      title: "a refusal that is cut is no answer: what was refused is not known",
    },
  },
  {
    name: "job-waits-as-it-likes",
    undoes: "A job waits as long as the answer asked it to before its next attempt.",
    file: "libs/queue/src/worker.ts",
    find: `Math.max(backoffDelay(options.backoff, attempt), retryAfterMs(err?.cause)),`,
    becomes: `backoffDelay(options.backoff, attempt),`,
    killedBy: {
      file: "libs/queue/test/queue.test.ts",
      title: "an error that asks to wait lengthens the backoff, and uses an attempt",
    },
  },
  {
    name: "look-hurries-a-retry",
    undoes: "A job that waits for its retry waits, also where its workload is looked at.",
    file: "services/restarter/src/queue/rollout-queues.ts",
    find: `enqueueAt: (ref, at) => add(ref, Math.max(0, at - Date.now()), false),`,
    becomes: `enqueueAt: (ref, at) => add(ref, Math.max(0, at - Date.now()), true),`,
    killedBy: {
      file: "services/restarter/test/queues.test.ts",
      title:
        "a patch that waits for its retry waits as long as the queue says, also where its workload is looked at",
    },
  },
  {
    name: "refused-keeps-its-place",
    undoes: "What a rollout waited for is over when it is refused.",
    file: "services/restarter/src/decision/outcomes.ts",
    find: `const next = { ...waited, failure: { ...failure, plans } };`,
    becomes: `const next = { ...record, failure: { ...failure, plans } };`,
    killedBy: replayOf("hold-outlives-its-reason"),
  },
  {
    name: "refusal-to-make-loses-the-job",
    undoes: "A Job is given up only where its namespace is gone, not where a webhook says 404.",
    file: "services/restarter/src/rollout/jobs.ts",
    find: `return metadata.deletionTimestamp === undefined ? "as-decided" : "gone";`,
    becomes: `return metadata.deletionTimestamp === undefined ? "gone" : "gone";`,
    killedBy: {
      file: "services/restarter/test/api-answers.test.ts",
      title: "create-denied-404: a refusal is reported once, and tried later",
    },
  },
];
