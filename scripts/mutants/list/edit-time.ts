import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const RUNNING = "services/restarter/src/decision/running-content.ts";
const EARLIER_TEST = "services/restarter/src/decision/earlier.test.ts";
const DECIDE_TEST = "services/restarter/src/decision/decide.test.ts";
const EDITED = "services/restarter/src/decision/edited-content.ts";
const BACK = "services/restarter/src/decision/content-back.ts";
const BACK_TEST = "services/restarter/src/decision/content-back.test.ts";
const EDIT_TIME = "services/restarter/src/index/edit-time.ts";

/** When a template was edited, and which pods began by that. */
export const EDIT_TIME_MUTANTS: readonly Mutant[] = [
  {
    name: "version-of-a-list-is-not-kept",
    undoes: "What a list shows was made by that version at the latest.",
    file: EDIT_TIME,
    find: `  if (before === undefined || before.uid !== now.uid) {
    return atLatest(now);`,
    becomes: `  if (before === undefined || before.uid !== now.uid) {
    return watched ? atLatest(now) : now;`,
    killedBy: replayOf("listed-before-the-change"),
  },
  {
    name: "same-moment-is-before",
    undoes: "Of a change and an edit of the same moment nobody knows the order.",
    file: EDITED,
    find: `else if (before.digest !== content.digest && !isLaterByVersion(s, key)) {`,
    becomes: `else if (before.digest === "" && !isLaterByVersion(s, key)) {`,
    killedBy: replayOf("edited-as-it-changed"),
  },
  {
    name: "list-says-nothing-of-the-order",
    undoes: "The version that a list begins with counts for the order of writes.",
    file: "services/restarter/src/index/index-handler.ts",
    find: `      shown(resourceVersion);
    },
    upsert(`,
    becomes: `      if (resourceVersion === "") shown(resourceVersion);
    },
    upsert(`,
    killedBy: {
      file: "services/restarter/src/index/workload-index.test.ts",
      title:
        "each version that the watch shows, or a list begins with, counts for the order of writes",
    },
  },
  {
    name: "listed-edit-is-as-dated",
    undoes: "A list dates an edit by its manager's last write: the pods say when they began.",
    file: "services/restarter/src/reconcile/evaluate.ts",
    find: `const since = isAsRecorded ? undefined : beganAfter(given);`,
    becomes: `const since = isAsRecorded ? undefined : beganAfter({ ...given, sources: new Map() });`,
    killedBy: replayOf("edited-unseen"),
  },
  {
    name: "listed-creation-is-as-dated",
    undoes: "So it is with a workload that was made while no restarter ran.",
    file: EDITED,
    find: `if (own === undefined && createdAt <= installedAt) return undefined;`,
    becomes: `if (own === undefined) return undefined;`,
    killedBy: replayOf("created-unseen"),
  },
  {
    name: "edited-as-it-was-put-back",
    undoes: "A template that is put back before rest was edited when its pods began.",
    file: EDIT_TIME,
    find: `if (again !== undefined) return { ...now, ...again.edit, earlierEdits };`,
    becomes: ``,
    killedBy: replayOf("undone-in-outage"),
  },
  {
    name: "pods-of-before-are-ignored",
    undoes: "Pods that are left of a release which was undone are as old as they say.",
    file: "services/restarter/src/reconcile/workload-pods.ts",
    find: `Math.min(workload.editedAt ?? since, ...pods.map(createdAt))`,
    becomes: `workload.editedAt ?? since`,
    killedBy: replayOf("undone-unseen"),
  },
  {
    name: "listed-in-its-second-is-adopted",
    undoes: "Only the watch shows which came first in the second of a creation.",
    file: "services/restarter/src/decision/running-content.ts",
    find: `workload.createdVersion === undefined
      ? changedAt >= started`,
    becomes: `workload.createdVersion === undefined
      ? changedAt >= started + 1_000`,
    killedBy: replayOf("list-hides-a-version"),
  },
  {
    name: "content-back-is-no-change",
    undoes: "Content that came and went is asked of the pods that began meanwhile.",
    file: "services/restarter/src/reconcile/evaluate.ts",
    find: `if (await mayRunOther(ctx, workload, watched, back)) {`,
    becomes: `if (back.keys.length === 0) {`,
    killedBy: replayOf("content-back-at-rest"),
  },
  {
    name: "content-back-midway",
    undoes: "Content that came and went in the middle of a rollout is asked of its pods as well.",
    file: BACK,
    find: `if (s.record?.uid !== s.workload.uid) return undefined;`,
    becomes: `if (s.record?.uid !== s.workload.uid || s.record.phase === "rolling") return undefined;`,
    killedBy: {
      file: BACK_TEST,
      title:
        "since when pods may have begun with content that came and went: a rollout is under way",
    },
  },
  {
    name: "content-back-by-our-clock",
    undoes:
      "Which changes a record takes in is known by the changes, and not by when it was decided.",
    file: BACK,
    find: `content.changeCount === undefined
      ?`,
    becomes: `content.changeCount !== -1
      ?`,
    killedBy: {
      file: BACK_TEST,
      title:
        "since when pods may have begun with content that came and went: both came late, after another decision",
    },
  },
  {
    name: "content-back-for-a-run",
    undoes: "A Job of ours that was made while content came and went is run again.",
    file: "services/restarter/src/reconcile/evaluate.ts",
    find: `return last !== undefined && mayHaveBegun(ctx, last, back);`,
    becomes: `return last !== undefined && back.keys.length === 0;`,
    killedBy: replayOf("content-back-for-a-run"),
  },
  {
    name: "content-back-is-asked-again",
    undoes: "Pods that all have what came back are asked once.",
    file: BACK,
    find: `running[key] = { ...content, changeCount };`,
    becomes: `running[key] = content;`,
    killedBy: { file: BACK_TEST, title: "where none is found, the pods are not asked again" },
  },
  {
    name: "created-after-its-workload-is-adopted",
    undoes: "With onCreate, a source that is created after a workload, and seen with it, is due.",
    file: RUNNING,
    find: `return sameSecondOrEarlier(began, source.createdAt) && isLaterByVersion(s, key);`,
    becomes: `return false;`,
    killedBy: replayOf("created-after-its-workload"),
  },
  {
    name: "labelled-after-its-workload-is-created",
    undoes: "A source that is labelled after a workload was made is no creation after that.",
    file: RUNNING,
    find: `return sameSecondOrEarlier(began, source.createdAt) && isLaterByVersion(s, key);`,
    becomes: `return isLaterByVersion(s, key);`,
    killedBy: {
      file: EARLIER_TEST,
      title:
        "a workload is made, and a source is created long before it, and labelled after it: current",
    },
  },
  {
    name: "any-marker-says-what-pods-run",
    undoes: "Without a record, only a marker that Rollcast wrote says what pods run.",
    file: RUNNING,
    find: `return { digests: isForeign ? new Map() : read(), isNewer: false };`,
    becomes: `return { digests: isForeign ? read() : read(), isNewer: false };`,
    killedBy: {
      file: DECIDE_TEST,
      title:
        "a marker that others have written, as with an exported manifest, says nothing of its pods",
    },
  },
  {
    name: "restored-cluster-has-rolled",
    undoes: "A rollout that a restore of the cluster has undone is made again.",
    file: EDITED,
    find: `if (!isUndone) return record;`,
    becomes: `if (now !== 0) return record;`,
    killedBy: {
      file: EARLIER_TEST,
      title: "a workload of before its rollout, current by its record, is rolled again",
    },
  },
  {
    name: "admission-and-a-scale-are-an-edit",
    undoes: "What admission changed in a patch is ours, also where a scale has followed.",
    file: "services/restarter/src/decision/applied.ts",
    find: `|| isUneditedSince(workload, rollout.decidedAt);`,
    becomes: `;`,
    killedBy: {
      file: EARLIER_TEST,
      title:
        "a patch that admission changed, and a scale followed, is ours where nobody edited it since",
    },
  },
  {
    name: "dated-by-a-late-watch",
    undoes: "A change that the watch shows late is dated within the second of its write.",
    file: "services/watcher/src/model/compare.ts",
    find: `Math.min(at.now, editedAt + SECOND_MS)`,
    becomes: `at.now`,
    killedBy: {
      file: "services/watcher/src/model/compare.test.ts",
      title: "observed live, a second after it",
    },
  },
  {
    name: "content-back-forgets-changes",
    undoes: "The watcher remembers the changes before the last one, for who sees it first then.",
    file: "services/watcher/src/model/compare.ts",
    find: `      ...recordChange(record),`,
    becomes: ``,
    killedBy: {
      file: "services/watcher/src/model/compare.test.ts",
      title: "the changes before the last one are remembered, with the keys that differed",
    },
  },
];
