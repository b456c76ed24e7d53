import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const RUNNING = "services/restarter/src/decision/running-content.ts";
const CONTENT = "services/restarter/src/model/content.ts";
const EDITED = "services/restarter/src/decision/edited-content.ts";
const EARLIER_TEST = "services/restarter/src/decision/earlier.test.ts";
const DECIDE_TEST = "services/restarter/src/decision/decide.test.ts";
const WITHOUT_IT = "after a workload that was made without it rolls that by reload.onCreate alone";

/** What pods run, by the order of changes and edits. */
export const RUNNING_CONTENT_MUTANTS: readonly Mutant[] = [
  {
    name: "late-source-is-a-change",
    undoes: "A source that comes back after a workload that was made without it is a creation.",
    file: RUNNING,
    find: `const changed = !isBack && `,
    becomes: `const changed = `,
    killedBy: { file: DECIDE_TEST, title: WITHOUT_IT },
  },
  {
    name: "unseen-late-source-is-a-change",
    undoes: "So it is where nobody has looked at the workload before.",
    file: RUNNING,
    find: `if (workload.rollBy === "job" || isCreationFor(s, key)) return present;`,
    becomes: `if (workload.rollBy === "job") return present;`,
    killedBy: { file: DECIDE_TEST, title: WITHOUT_IT },
  },
  {
    name: "deletion-after-workload-is-before",
    undoes: "A source that the workload may have had before is a change.",
    file: RUNNING,
    find: `return compareVersions(resourceVersion, createdVersion) < 0;`,
    becomes: `return true;`,
    killedBy: { file: DECIDE_TEST, title: "rolls a workload that may have had it before" },
  },
  {
    name: "every-deletion-is-the-same",
    undoes: "A source that was there in between is a change.",
    file: RUNNING,
    find: `tombstone.resourceVersion === recorded.gone;`,
    becomes: `recorded.gone !== undefined;`,
    killedBy: {
      file: DECIDE_TEST,
      title: "rolls where it has been there in between, or has changed since",
    },
  },
  {
    name: "opted-out-midway-forgets",
    undoes: "A workload that is opted out and in again in mid-rollout runs what that brings.",
    file: RUNNING,
    find: `record.running[key] ?? brought?.[key];`,
    becomes: `record.running[key] ?? (brought === undefined ? brought : undefined);`,
    killedBy: replayOf("opted-out-midway"),
  },
  {
    name: "restart-of-an-older-record",
    undoes: "A Rollout says with which content it was restarted, where the record is older.",
    file: CONTENT,
    find: `return record.restarted !== restartHash(workload);`,
    becomes: `return false;`,
    killedBy: replayOf("argo-restarted-after-backup"),
  },
  {
    name: "restart-by-another-time-counts",
    undoes: "What a Rollout says of a restart counts for the time of that restart alone.",
    file: CONTENT,
    find: `readMarker(text)[RESTART_AT] === restartAt ? text : undefined`,
    becomes: `readMarker(text)[RESTART_AT] !== undefined ? text : undefined`,
    killedBy: {
      file: EARLIER_TEST,
      title: "an annotation of another time counts: false",
    },
  },
  {
    name: "one-order-of-all-kinds",
    undoes: "That two kinds follow one order says nothing of a third, as Secrets in another etcd.",
    file: "libs/kube/src/resource-version.ts",
    find: "agreed.get(`${source}/${workload}`)?.size === 2",
    becomes: "workload !== source && [...agreed.values()].some(({ size }) => size === 2)",
    killedBy: {
      file: "libs/kube/src/resource-version.test.ts",
      title: "what was seen of two types says nothing of a third",
    },
  },
  {
    name: "undone-while-paused",
    undoes: "A template that is put back while its workload is paused keeps its pods, too.",
    file: EDITED,
    find: `const left = isOther ? runningLeft(record, workload) : undefined;`,
    becomes: `const left = isOther && workload.restartsOnEdit ? runningLeft(record, workload) : undefined;`,
    killedBy: replayOf("undone-while-paused"),
  },
  {
    name: "pods-that-were-left-begin-anew",
    undoes: "A workload that was made over the pods of another runs what they began with.",
    file: RUNNING,
    find: `workload.podsSince ?? Math.max(`,
    becomes: `Math.max(`,
    killedBy: {
      file: EARLIER_TEST,
      title:
        "a workload is made over the pods of another, and a source changed since they may run: pending",
    },
  },
  {
    name: "pods-began-when-they-were-left",
    undoes: "Pods that are left to a workload may be older than a change before they were left.",
    file: "services/restarter/src/index/ended-workloads.ts",
    find: `return last.podsSince ?? Math.max(last.createdAt, last.editedAt ?? 0);`,
    becomes: `return Number.MAX_SAFE_INTEGER;`,
    killedBy: replayOf("pods-are-left-before-their-rollout"),
  },
  {
    name: "any-template-takes-pods-over",
    undoes: "A workload takes the pods of another over where its template is the same.",
    file: "services/restarter/src/index/ended-workloads.ts",
    find: `if (last === undefined || !isSame) return undefined;`,
    becomes: `if (last === undefined) return undefined;`,
    killedBy: {
      file: "services/restarter/src/index/workload-index.test.ts",
      title: "a workload is made with another template over pods that were left: since undefined",
    },
  },
  {
    name: "versions-never-go-back",
    undoes: "A version of before the cluster was restored is in no order with those after it.",
    file: RUNNING,
    find: `if (compareVersions(edited, s.workload.resourceVersion) > 0) return undefined;`,
    becomes: ``,
    killedBy: {
      file: EARLIER_TEST,
      title: "an edit of before the cluster was restored says nothing",
    },
  },
  {
    name: "creation-has-no-version",
    undoes: "Where versions follow one order, what changed before a creation is in its pods.",
    file: RUNNING,
    find: `if (isOlderThan(s, key, workload.createdVersion) === true) return present;`,
    becomes: ``,
    killedBy: {
      file: EARLIER_TEST,
      title: "a workload is made, and a source changed before it: current",
    },
  },
  {
    name: "record-of-a-creation-has-no-version",
    undoes: "So it is where the creation was recorded before the change was seen.",
    file: "services/restarter/src/decision/decide.ts",
    find: `editedVersion: workload.createdVersion,`,
    becomes: ``,
    killedBy: {
      file: EARLIER_TEST,
      title: "a workload is made, and a source changed before it: current",
    },
  },
  {
    name: "created-is-before-any-edit",
    undoes: "A source that was created after an edit, by its version, is not what its pods run.",
    file: EDITED,
    find: `if (changedBy === undefined) return !isLaterByVersion(s, key);`,
    becomes: `if (changedBy === undefined) return true;`,
    killedBy: replayOf("created-after-an-edit"),
  },
  {
    name: "marker-names-not-all",
    undoes: "A source that Rollcast's own marker does not name was created after it.",
    file: RUNNING,
    find: `(isUnmarked && isLaterByVersion(s, key) && createdSince(s, key));`,
    becomes: `(isUnmarked && s.now < 0 && createdSince(s, key));`,
    killedBy: replayOf("created-before-a-restore"),
  },
  {
    name: "opted-in-after-its-restart",
    undoes: "A Rollout that is opted in is not restarted for what anybody's restart has brought.",
    file: "services/restarter/src/decision/running-content.ts",
    find: `if (!young || isBeforeRestart(s, key)) return present;`,
    becomes: `if (!young) return present;`,
    killedBy: {
      file: "services/restarter/src/decision/earlier.test.ts",
      title:
        "a Rollout that is opted in and was restarted after its source changed is then current",
    },
  },
  {
    name: "restarted-for-what-differs-only",
    undoes: "A restart by its time is for pods that began while content came and went, too.",
    file: "services/restarter/src/decision/rollout.ts",
    find: `changed.length === 0 ? [] : (Object.keys(wanted) as SourceKey[]);`,
    becomes: `changed;`,
    killedBy: replayOf("content-back-before-a-restart"),
  },
  {
    name: "opt-in-has-another-hash",
    undoes: "The opt-in has the hash that versions before wrote into records.",
    file: "services/restarter/src/model/content.ts",
    find: `return stableId(JSON.stringify({ ...workload.optIn, faults: [] }));`,
    becomes: `return stableId(JSON.stringify(workload.optIn));`,
    killedBy: {
      file: "services/restarter/src/model/opt-in-hash.test.ts",
      title: "the hash of the opt-in is that of versions before",
    },
  },
  {
    name: "undone-release-restarts-all",
    undoes: "A release that is undone before it comes to rest has restarted no pod that is left.",
    file: EDITED,
    find: `if (left !== undefined) return { ...next, earlier, editedVersion: undefined, running: left };`,
    becomes: ``,
    killedBy: replayOf("release-undone-midway"),
  },
  {
    name: "undone-edit-restarts-all",
    undoes: "An edit that is undone before it comes to rest has restarted no pod that is left.",
    file: EDITED,
    find: `next = { ...next, earlier, editedVersion: shownEdit(workload) };`,
    becomes: `next = { ...next, editedVersion: shownEdit(workload) };`,
    killedBy: replayOf("edit-undone-midway"),
  },
  {
    name: "earlier-template-with-any-marker",
    undoes: "A template that is put back with another marker restarts its pods.",
    file: EDITED,
    find: `same.find((template) => template.marker === marker);`,
    becomes: `same.at(0);`,
    killedBy: {
      file: "services/restarter/src/decision/earlier.test.ts",
      title: "with a marker that its pods do not have: the record is then current",
    },
  },
  {
    name: "job-that-was-run-says-nothing",
    undoes: "What a CronJob has run since its record was written is not run again.",
    file: "services/restarter/src/reconcile/evaluate.ts",
    find: `{ ...input, newestJob, isRunning:`,
    becomes: `{ ...input, isRunning:`,
    killedBy: {
      file: "test/cases/outages.test.ts",
      title: "records from an older backup do not roll again what has rolled since (defect 9)",
    },
  },
  {
    name: "versions-without-an-order",
    undoes: "Versions order writes only once they were seen to.",
    file: RUNNING,
    find: `if (!isOrdered || edited === undefined) return undefined;`,
    becomes: `if (edited === undefined) return undefined;`,
    killedBy: {
      file: "services/restarter/src/decision/earlier.test.ts",
      title: "no order was seen: the record is then pending",
    },
  },
  {
    name: "clocks-order-writes",
    undoes: "Where versions follow one order, a watch that lags makes no change later.",
    file: EDITED,
    find: `if (isOlder !== undefined) return isOlder;`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/decision/earlier.test.ts",
      title: "the version says before: the record is then current",
    },
  },
  {
    name: "edit-recorded-before-its-change",
    undoes: "A change that is read after an edit was recorded, and is older than it, is current.",
    file: RUNNING,
    find: `isOwn ? content : recounted(ran, content);`,
    becomes: `ran;`,
    killedBy: {
      file: "services/restarter/src/decision/earlier.test.ts",
      title: "recorded before the change: the record is then current",
    },
  },
];
