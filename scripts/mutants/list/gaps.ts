import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const STORE = "libs/nats/src/kv-store.ts";
const STORE_TEST = "libs/nats/src/kv-store.test.ts";
const WATCH = "services/restarter/src/reconcile/progress-watch.ts";
const WATCH_TEST = "services/restarter/src/reconcile/progress-watch.test.ts";
const QUEUE = "libs/async/src/workqueue.ts";
const QUEUE_TEST = "libs/async/src/workqueue.test.ts";
const INDEX_TEST = "services/restarter/src/index/workload-index.test.ts";

/** What was written while a watch had a gap counts. */
export const GAP_MUTANTS: readonly Mutant[] = [
  {
    name: "decided-in-a-gap",
    undoes: "Nothing is decided until the bucket `control` is listed anew after an outage.",
    file: "services/restarter/src/reconcile/evaluate.ts",
    find: `if (!ctx.admission.isSynced()) throw new RetryLaterError(GAP_MS, "bucket control has a gap");`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/test/gaps.test.ts",
      title: "a freeze that another replica set in an outage holds what this one decides after it",
    },
  },
  {
    name: "gap-is-a-failure",
    undoes: "A workload that a gap of the bucket `control` surprises waits, and does not fail.",
    file: "services/restarter/src/reconcile/reconciler.ts",
    find: `if (!(err instanceof RetryLaterError)) throw err;`,
    becomes: `throw err;`,
    killedBy: {
      file: "services/restarter/src/reconcile/reconciler.test.ts",
      title:
        "what a gap of the bucket control finds under way waits for its end, and is no failure",
    },
  },
  {
    name: "gap-is-synced",
    undoes: "A cache is not synced from the loss of its subscription until the bucket is listed.",
    file: "libs/nats/src/kv-cache.ts",
    find: `      isListed = false;\n`,
    becomes: ``,
    killedBy: replayOf("gate-closed-in-outage"),
  },
  {
    name: "gap-is-told-late",
    undoes:
      "That a subscription is lost is told before it is taken away, which waits for the server.",
    file: "libs/nats/src/kv.ts",
    find: `if (!signal.aborted) onStart?.();`,
    becomes: ``,
    killedBy: {
      file: "libs/nats/test/kv.test.ts",
      title: "a watch begins anew after the server was away, and says so at once",
    },
  },
  {
    name: "watch-waits-for-a-lost-answer",
    undoes: "A watch that was being opened when the connection was lost is opened anew at once.",
    file: "libs/nats/src/bucket.ts",
    find: `return await rejectOnReconnect(nats, () => opening);`,
    becomes: `void rejectOnReconnect;\n    return await opening;`,
    killedBy: {
      file: "libs/nats/test/gaps.test.ts",
      title:
        "a cache whose server is killed before the list begins has all that is there, by the time it says so",
    },
  },
  {
    name: "control-ends-before-the-jobs",
    undoes: "The bucket `control` is followed while a restarter that ends finishes its jobs.",
    file: "services/restarter/src/operations/control.ts",
    find: `until: ending,`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/test/gaps.test.ts",
      title: "a freeze that is set while a restarter ends holds the jobs that it finishes",
    },
  },
  {
    name: "restored-bucket-is-older",
    undoes: "What a list holds counts, also with a lower revision: NATS was restored.",
    file: STORE,
    find: `if (before?.list === list && before.revision >= revision) return;`,
    becomes: `if (before !== undefined && before.revision >= revision) return;`,
    killedBy: {
      file: STORE_TEST,
      title: "what a list holds counts, also with a lower revision",
    },
  },
  {
    name: "removed-in-a-gap-stays",
    undoes: "What a list lacks was removed in the gap.",
    file: STORE,
    find: `if (slot.list === list) continue;`,
    becomes: `if (slot.list === list || slot.value !== undefined) continue;`,
    killedBy: { file: STORE_TEST, title: "a list that lacks a record removes it, and says so" },
  },
  {
    name: "removed-comes-back",
    undoes: "A late older write does not bring a removed record back.",
    file: STORE,
    find: `slots.set(key, { key, value, revision, list });`,
    becomes: `if (value === undefined) slots.delete(key);\n      else slots.set(key, { key, value, revision, list });`,
    killedBy: {
      file: STORE_TEST,
      title: "an older write that comes after a removal does not bring the record back",
    },
  },
  {
    name: "emptied-bucket-is-unseen",
    undoes: "A bucket is listed anew every 10 minutes: one that was emptied reports nothing.",
    file: "libs/nats/src/kv.ts",
    find: `const timer = setTimeout(end, relistMs * (0.75 + Math.random() / 2));`,
    becomes: `const timer = setTimeout(() => undefined, relistMs);`,
    killedBy: {
      file: "libs/nats/test/kv-cache.test.ts",
      title: "a bucket that is emptied without a trace is noticed by the next list",
    },
  },
  {
    name: "read-ahead-of-the-watch-decides",
    undoes: "A template that was read before its watch shows it waits for the watch.",
    file: "services/restarter/src/decision/decide.ts",
    find: `if (!s.trusted && workload.isAhead === true && isNew) return { do: "requeue", refetch: false };`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/decision/decide.test.ts",
      title: "a new template that the watch has not shown waits for it, unless it was just read",
    },
  },
  {
    name: "late-watch-says-nothing",
    undoes: "A watch that comes after a read still says when the template was edited.",
    file: "services/restarter/src/index/workload-index.ts",
    find: `if (watched) redate(key, workload, before);`,
    becomes: ``,
    killedBy: {
      file: INDEX_TEST,
      title: "a watch that comes after a read still says when the template was edited",
    },
  },
  {
    name: "restored-list-is-older",
    undoes: "After a restore of the cluster a list counts, though its versions are older.",
    file: "services/restarter/src/index/index-handler.ts",
    find: `listed = wentBack ? "restored" : "answer";`,
    becomes: `listed = wentBack ? "answer" : "answer";`,
    killedBy: {
      file: INDEX_TEST,
      title: "is shown by a list of an older version, whose workloads count",
    },
  },
  {
    name: "restored-answer-is-older",
    undoes: "So does an answer, where the index has not changed since it was asked for.",
    file: "services/restarter/src/index/workload-index.ts",
    find: `if (newest !== undefined && newest === indexed && isOlder(workload, newest)) {`,
    becomes: `if (newest === undefined && indexed !== undefined) {`,
    killedBy: {
      file: INDEX_TEST,
      title: "is shown by an answer that is older than what was known when it was asked for",
    },
  },
  {
    name: "started-before-it-knows",
    undoes: "What becomes due while a restarter starts waits until its workloads are known.",
    file: QUEUE,
    find: `if (readiness === undefined || readiness.isReady()) return true;`,
    becomes: `return true;`,
    killedBy: {
      file: QUEUE_TEST,
      title: "keys wait while they may not begin, each time, and are no failures",
    },
  },
  {
    name: "index-is-not-waited-for",
    undoes: "The reconciler begins when the index is filled.",
    file: "services/restarter/src/reconcile/reconciler.ts",
    find: `isReady: () => isIndexed && admission.isSynced(),`,
    becomes: `isReady: () => admission.isSynced(),`,
    killedBy: {
      file: "services/restarter/test/start.test.ts",
      title: "what is due while a restarter starts waits until its workloads are known",
    },
  },
  {
    name: "failing-hold-their-places",
    undoes: "A workload that cannot be reconciled gives its place back while it waits.",
    file: QUEUE,
    find: `retryLater(key, err);`,
    becomes: `retryLater(key, err);\n      while (retries.has(key) && !isStopped) await new Promise((resolve) => setTimeout(resolve, 10));`,
    killedBy: {
      file: QUEUE_TEST,
      title: "holds no place: others go on however many there are",
    },
  },
  {
    name: "outcome-of-a-dead-writer",
    undoes:
      "An outcome that its writer has not published for half a minute is published by another.",
    file: WATCH,
    find: `if (isDue(ctx, record, now) || isOrphaned(record, now)) enqueue(key);`,
    becomes: `if (isDue(ctx, record, now)) enqueue(key);`,
    killedBy: {
      file: WATCH_TEST,
      title: "an outcome that its writer did not publish for long is published by another",
    },
  },
  {
    name: "begun-while-reconnected",
    undoes: "Whoever follows records hears what a list after an outage shows.",
    file: "libs/nats/src/kv-store.ts",
    find: `      notify(key, value, before?.value);`,
    becomes: `      if (before === undefined || before.list === list) notify(key, value, before?.value);`,
    killedBy: {
      file: "libs/nats/src/kv-store.test.ts",
      title: "a list that lacks a record removes it, and says so",
    },
  },
  {
    name: "subscription-fails-without-a-pause",
    undoes: "A subscription that ends again and again is opened later each time.",
    file: "libs/nats/src/consume.ts",
    find: `        hear();
        await subscribe();`,
    becomes: `        served();
        await subscribe();`,
    killedBy: {
      file: "libs/nats/test/consume.test.ts",
      title:
        "a subscription that is ended again and again is opened later each time, until it lasts",
    },
  },
  {
    name: "same-version-wakes",
    undoes: "An answer of the version that is indexed is no change of the workload.",
    file: "services/restarter/src/index/workload-index.ts",
    find: `ended.isGone(workload.uid) : !isOlder(newest, workload)) return;`,
    becomes: `ended.isGone(workload.uid) : isOlder(workload, newest)) return;`,
    killedBy: { file: INDEX_TEST, title: "an answer of the version that is indexed wakes nobody" },
  },
  {
    name: "lost-record-is-not-missed",
    undoes: "A record that NATS has lost is missed while its source is there.",
    file: "services/watcher/src/store/source-store.ts",
    find: `if (cached === undefined && observed === GONE) observations.delete(key);`,
    becomes: `if (cached === undefined && (observations.delete(key), true)) drifted.delete(key);`,
    killedBy: {
      file: "services/watcher/src/store/source-store.test.ts",
      title:
        "a record that is gone while its source is there is different, until the source is gone too",
    },
  },
  {
    name: "lost-record-is-a-creation",
    undoes: "A source whose record NATS has lost is not told as created.",
    file: "services/watcher/src/store/recorder.ts",
    find: `const covered = !isKnown && coverage`,
    becomes: `const covered = coverage`,
    killedBy: {
      file: "services/watcher/test/outages.test.ts",
      title:
        "records that NATS has lost while a watcher runs are written again, and the next change is one",
    },
  },
  {
    name: "lost-installation-stays-lost",
    undoes: "A watcher writes the installation's record again where NATS came back without it.",
    file: "services/watcher/src/create-context.ts",
    find: `const restore = () => restoreInstallation(installations, cluster, installation);`,
    becomes: `const restore = async () => void restoreInstallation;`,
    killedBy: {
      file: "test/upgrade.test.ts",
      title:
        "a NATS that comes back empty is filled by the services that run, and a restarter that starts then finds what it needs",
    },
  },
];
