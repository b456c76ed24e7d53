import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const EDITED = "services/restarter/src/decision/edited-content.ts";
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
    find: `Math.min(workload.editedAt ?? since, ...times)`,
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
    find: `if (await mayHaveBegun(ctx, workload, back)) {`,
    becomes: `if (back.keys.length === 0) {`,
    killedBy: replayOf("content-back-at-rest"),
  },
  {
    name: "decided-by-one-clock",
    undoes: "A record knows the changes that it was decided on, whatever clock has dated them.",
    file: "services/restarter/src/decision/decide.ts",
    find: `Math.max(s.now, newestChange(s, [...s.sources.keys()]) ?? 0);`,
    becomes: `s.now;`,
    killedBy: {
      file: "services/restarter/src/decision/content-back.test.ts",
      title: "a change that a clock ahead of ours has dated is known to the record that it led to",
    },
  },
];
