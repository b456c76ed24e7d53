import { replayOf } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const ROLLOUT = "services/restarter/src/decision/rollout.ts";
const DECIDE = "services/restarter/src/decision/decide.ts";
const DECIDE_TEST = "services/restarter/src/decision/decide.test.ts";
const ADVANCE_TEST = "services/restarter/src/decision/advance.test.ts";
const INDEX_TEST = "services/restarter/src/index/workload-index.test.ts";

/** The marker on the pod template is the evidence. */
export const MARKER_MUTANTS: readonly Mutant[] = [
  {
    name: "answer-without-marker-is-a-start",
    undoes: "An answer without the marker is a failure, `MarkerNotKept`.",
    file: "services/restarter/src/rollout/roll.ts",
    find: `if (workload.rollBy !== "job" && patched.marker !== rollout.marker) {`,
    becomes: `if (workload.rollBy === "job" && patched.marker !== rollout.marker) {`,
    killedBy: replayOf("marker-not-kept"),
  },
  {
    name: "admission-is-an-edit",
    undoes: "What admission changes in our request is part of the rollout.",
    file: "services/restarter/src/rollout/roll.ts",
    find: `const rollout = { ...record.rollout, templateHash: patched.templateHash };`,
    becomes: `const { rollout } = record;`,
    killedBy: replayOf("admission-mutates"),
  },
  {
    name: "marker-taken-off-is-unseen",
    undoes: "A rollout goes on only as long as the template carries its marker.",
    file: ROLLOUT,
    find: `if (!isMarked) return withoutMarker(record, rollout, workload, now);`,
    becomes: ``,
    killedBy: replayOf("marker-removed-midway"),
  },
  {
    name: "removed-marker-is-current",
    undoes:
      "What pods run whose marker was taken off in mid-rollout is unknown, so it is rolled again.",
    file: ROLLOUT,
    find: `running: unknownContents(rollout.wanted),`,
    becomes: `running: rollout.wanted,`,
    killedBy: {
      file: DECIDE_TEST,
      title: "a marker that is taken off in mid-rollout ends it, and it is rolled again",
    },
  },
  {
    name: "edit-midway-restarts-all",
    undoes:
      "An edit without the marker in mid-rollout restarts all pods only where all had one other template before.",
    file: ROLLOUT,
    find: `return rollBy !== "patch" || (replaced !== undefined && replaced !== templateHash);`,
    becomes: `return rollBy !== "patch" || replaced !== templateHash;`,
    killedBy: {
      file: "services/restarter/src/decision/advance.test.ts",
      title:
        "template 1 without the marker, in mid-rollout of a workload that was in another rollout at template 2: MarkerRemoved",
    },
  },
  {
    name: "edit-undoes-no-restart-by-time",
    undoes:
      "An edit that takes Argo's restart time off ends the rollout: the pods were not restarted.",
    file: ROLLOUT,
    find: `if (rollBy === "restart") return false;`,
    becomes: `if (rollBy === "restart") return true;`,
    killedBy: replayOf("restart-undone-midway"),
  },
  {
    name: "stripped-without-end",
    undoes:
      "A marker that is taken off three times in a row is not written again by itself, `MarkerStripped`.",
    file: DECIDE,
    find: `(requested ? undefined : strippedOf(record, hash)) ??`,
    becomes: ``,
    killedBy: {
      file: DECIDE_TEST,
      title:
        "a marker that is taken off three times in a row is not written by itself again, but on request",
    },
  },
  {
    name: "stripped-counts-over-an-end",
    undoes:
      "Only markers that are taken off in a row count: a rollout that succeeded ends the row.",
    file: "services/restarter/src/decision/outcomes.ts",
    find: `const { stripped: _, ...rest } = record;`,
    becomes: `const rest = record;`,
    killedBy: {
      file: ADVANCE_TEST,
      title: "a rollout that succeeded ends the row of markers that were taken off",
    },
  },
  {
    name: "field-manager-is-not-named",
    undoes: "`MarkerRemoved` names the field manager that the marker has now.",
    file: ROLLOUT,
    find: 'const by = isLate ? `, last written by field manager ${editor.manager}` : "";',
    becomes: `const by = "";`,
    killedBy: {
      file: DECIDE_TEST,
      title: "a marker that is taken off in mid-rollout ends it, and it is rolled again",
    },
  },
  {
    name: "marker-of-pods-before-is-reused",
    undoes: "While pods of an earlier marker may be left, a marker is written with `again`.",
    file: ROLLOUT,
    find: `return workload.marker === plain || arePodsLeft`,
    becomes: `return workload.marker === plain`,
    killedBy: replayOf("marker-before-is-reused"),
  },
  {
    name: "marker-off-at-rest-is-nothing",
    undoes: "At rest, a write that takes the marker off restarts all pods: it is an edit.",
    file: "services/restarter/src/model/workload.ts",
    find: `return isMarkerEdited || isTemplateEdited(record, workload);`,
    becomes: `return isTemplateEdited(record, workload);`,
    killedBy: {
      file: DECIDE_TEST,
      title: "a marker that goes at rest is an edit: what changed before it is current",
    },
  },
  {
    name: "marker-off-is-undated",
    undoes: "A write that only takes the marker off is dated by the watch that shows it.",
    file: "services/restarter/src/index/edit-time.ts",
    find: `if (isEdited || isUnmarked) {`,
    becomes: `if (isEdited) {`,
    killedBy: {
      file: INDEX_TEST,
      title:
        "a write that only takes something off the template has no time in managedFields: it is dated by the clock",
    },
  },
  {
    name: "taking-off-has-the-time-of-before",
    undoes: "A write that leaves no time in managedFields is not dated by the write before it.",
    file: "services/restarter/src/index/edit-time.ts",
    find: `const latest = isDated ? now.editedAt + LAST_OF_SECOND_MS : time;`,
    becomes: `const latest = now.editedAt === undefined ? time : now.editedAt + LAST_OF_SECOND_MS;`,
    killedBy: {
      file: INDEX_TEST,
      title:
        "a write that only takes something off the template has no time in managedFields: it is dated by the clock",
    },
  },
  {
    name: "restart-in-the-second-of-a-change",
    undoes: "Argo is asked to restart the pods that were made in the second of the change too.",
    file: "services/restarter/src/model/content.ts",
    find: `const seconds = Math.ceil(changedAt / SECOND_MS);`,
    becomes: `const seconds = Math.floor(changedAt / SECOND_MS);`,
    killedBy: replayOf("restarted-in-its-second"),
  },
  {
    name: "restart-before-a-creation",
    undoes: "Argo is asked to restart the pods from before the creation of a source too.",
    file: ROLLOUT,
    find: `const created = createdAt === undefined ? 0 : createdAt + SECOND_MS;`,
    becomes: `const created = 0;`,
    killedBy: replayOf("restarted-too-early"),
  },
  {
    name: "status-of-before-is-the-end",
    undoes: "A status counts only when the controller has begun the rollout, by its revision.",
    file: ROLLOUT,
    find: `return isBegun || left ? status : PROGRESSING;`,
    becomes: `return status;`,
    killedBy: {
      file: ADVANCE_TEST,
      title: "a complete status of a rollout that is not begun: undefined",
    },
  },
  {
    name: "phase-of-before-is-the-end",
    undoes: "A Rollout is healthy only where its condition says so too, not its phase alone.",
    file: "libs/kube/src/workloads/argo-rollout.ts",
    find: `if (condition(object, "Healthy")?.status === "False") {`,
    becomes: `if (condition(object, "Healthy")?.status === "False" && phase !== "Healthy") {`,
    killedBy: {
      file: "libs/kube/src/workloads/argo-rollout.test.ts",
      title: "healthy by a status for another size",
    },
  },
  {
    name: "cause-is-an-older-change",
    undoes: "The cause is the source that changed or was created last.",
    file: ROLLOUT,
    find: `return Math.max(changedAt ?? 0, createdAt, deletedAt);`,
    becomes: `return changedAt ?? 0;`,
    killedBy: replayOf("cause-is-not-the-newest"),
  },
];
