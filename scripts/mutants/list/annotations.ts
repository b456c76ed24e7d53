import type { Mutant } from "./mutant.ts";

const VALUES = "services/restarter/src/model/annotation-values.ts";
const FAULTS = "services/restarter/src/events/annotation-faults.ts";
const NAMES_TEST = "services/restarter/src/index/source-names.test.ts";
const TEMPLATES = "services/restarter/src/index/pod-templates.ts";
const TEMPLATES_TEST = "services/restarter/src/index/pod-templates.test.ts";
const READ_ONCE =
  "a template is read once for each generation that the controller has observed, and an edit shows";
const DECIDE_TEST = "services/restarter/src/decision/decide.test.ts";
const FAULTS_TEST = "services/restarter/src/events/annotation-faults.test.ts";
const TABLE_TEST = "services/restarter/src/annotations.test.ts";
const TOLD_ONCE =
  "what cannot be read is logged, counted and recorded on the workload once per edit";

/** Nothing that an annotation asks for is silently off. */
export const ANNOTATION_MUTANTS: readonly Mutant[] = [
  {
    name: "unreadable-duration-is-none",
    undoes: "A rollout waits until a duration that cannot be read is mended.",
    file: "services/restarter/src/decision/blocking-gate.ts",
    find: `if (message !== undefined) return { reason: INVALID_ANNOTATION, message };`,
    becomes: ``,
    killedBy: {
      file: DECIDE_TEST,
      title: "a change waits, without a time, until the duration that cannot be read is mended",
    },
  },
  {
    name: "unreadable-effect-rolls",
    undoes: "An effect that cannot be read counts as notify.",
    file: "services/restarter/src/model/workload.ts",
    find: `return effect === "" ? undefined : "Notify";`,
    becomes: `return effect === "notify" ? "Notify" : undefined;`,
    killedBy: { file: DECIDE_TEST, title: "an effect that cannot be read is never rolled either" },
  },
  {
    name: "unreadable-value-is-silent",
    undoes: "A value that cannot be read is a fault of the workload.",
    file: VALUES,
    find: `{ annotation: PAUSE_PERIOD, problem: durationProblem },`,
    becomes: ``,
    killedBy: { file: FAULTS_TEST, title: TOLD_ONCE },
  },
  {
    name: "fault-has-no-event",
    undoes: "A fault is recorded on the workload.",
    file: FAULTS,
    find: `ctx.recordEvent(eventOf(workload, id, faults));`,
    becomes: ``,
    killedBy: { file: FAULTS_TEST, title: TOLD_ONCE },
  },
  {
    name: "fault-is-logged-again",
    undoes: "A fault is logged once per edit, not with each status.",
    file: FAULTS,
    find: `reported.set(key, id);
    count();
    const { kind, namespace, name } = workload;`,
    becomes: `count();
    const { kind, namespace, name } = workload;`,
    killedBy: { file: FAULTS_TEST, title: TOLD_ONCE },
  },
  {
    name: "source-fault-is-silent",
    undoes: "What cannot be read of a source is a fault.",
    file: VALUES,
    find: `[ANNOTATIONS.ignore.own, ANNOTATIONS.match.own].flatMap(`,
    becomes: `[ANNOTATIONS.match.own].flatMap(`,
    killedBy: {
      file: FAULTS_TEST,
      title: "what cannot be read of a source is logged and counted once per edit",
    },
  },
  {
    name: "pattern-takes-200-sources",
    undoes: "A pattern's 201st source counts as the first does.",
    file: "services/restarter/src/model/workload.ts",
    find: `const MAX_KEYS_BYTES = 85_000;`,
    becomes: `const MAX_KEYS_BYTES = 20_000;`,
    killedBy: {
      file: NAMES_TEST,
      title:
        "a workload has room for at least 600 sources with names of 30 characters, and its record and marker for them",
    },
  },
  {
    name: "patterns-have-no-bound",
    undoes: "The record and the marker of a workload are bounded.",
    file: "services/restarter/src/model/workload.ts",
    find: `if (room < 0) left.push(key);`,
    becomes: `if (room === 0) left.push(key);`,
    killedBy: {
      file: NAMES_TEST,
      title:
        "a workload has room for at least 200 sources with names of 253 characters, and its record and marker for them",
    },
  },
  {
    name: "no-room-is-silent",
    undoes: "What there is no room for is told.",
    file: FAULTS,
    find: `else unmatched.set(key, leftFaults(workload, left));`,
    becomes: ``,
    killedBy: {
      file: FAULTS_TEST,
      title: "patterns that match more than there is room for are told once, until there is room",
    },
  },
  {
    name: "pod-template-is-not-read",
    undoes: "A Rollout uses what the PodTemplate or ReplicaSet of its workloadRef uses.",
    file: TEMPLATES,
    find: `const spec = { ...(object.spec as object), template };`,
    becomes: `const spec = { ...(object.spec as object) };`,
    killedBy: { file: TEMPLATES_TEST, title: READ_ONCE },
  },
  {
    name: "pod-template-is-read-again",
    undoes: "A template is not read for each status of the Rollout.",
    file: TEMPLATES,
    find: `if (before?.observed === ref.observed) return before;`,
    becomes: ``,
    killedBy: { file: TEMPLATES_TEST, title: READ_ONCE },
  },
  {
    name: "pod-template-is-patched",
    undoes: "A Rollout that has no template of its own is restarted.",
    file: "libs/kube/src/workloads/argo-rollout.ts",
    find: `annotations[STRATEGY] === "restart" || podTemplateRef(object) !== undefined;`,
    becomes: `annotations[STRATEGY] === "restart";`,
    killedBy: {
      file: "libs/kube/src/workloads/argo-rollout.test.ts",
      title:
        "with the template of a ReplicaSet it is restarted, with a Deployment's that one is rolled",
    },
  },
  {
    name: "fault-has-another-name",
    undoes: "A fault names the annotation as the workload has it.",
    file: "libs/shared/src/annotations.ts",
    find: `? reloader
      : own;`,
    becomes: `? own
      : own;`,
    killedBy: {
      file: TABLE_TEST,
      title: "a fault is told under the name that the workload has",
    },
  },
  {
    name: "misnamed-annotation-is-silent",
    undoes: `A name that is nearly one of ours is a fault.`,
    file: "services/restarter/src/model/annotation-values.ts",
    find: `...rules.misnamed(written).map(`,
    becomes: `...rules.misnamed({}).map(`,
    killedBy: {
      file: "services/restarter/src/annotations.test.ts",
      title: `a name that is none is a fault with the nearest one, and holds nothing back`,
    },
  },
  {
    name: "misnamed-annotation-of-a-source-is-dropped",
    undoes: `A source keeps what is nearly an annotation of ours.`,
    file: "services/watcher/src/model/transform.ts",
    find: `for (const { name } of misnamed(annotations)) keep(name);`,
    becomes: ``,
    killedBy: {
      file: "services/watcher/src/model/transform.test.ts",
      title: `keeps what looks like an annotation of ours and is none, at most five`,
    },
  },
  {
    name: "other-tools-annotation-is-misnamed",
    undoes: `An annotation of another tool is none of ours.`,
    file: "libs/shared/src/misnamed-annotations.ts",
    find: `return isOurs || first.edits <= MAX_EDITS ? { name, nearest: first.nearest } : undefined;`,
    becomes: `return { name, nearest: first.nearest };`,
    killedBy: {
      file: "libs/shared/src/misnamed-annotations.test.ts",
      title: `forecastle.stakater.com/expose is another tool's`,
    },
  },
  {
    name: "every-name-is-compared",
    undoes: "An object with thousands of names costs no more than one with twenty.",
    file: "libs/shared/src/misnamed-annotations.ts",
    find: "if (compared === MAX_COMPARED) break;",
    becomes: "",
    killedBy: {
      file: "libs/shared/src/misnamed-annotations.test.ts",
      title: "of an object with thousands of names only the first that might be ours are compared",
    },
  },
  {
    name: "ignore-on-a-workload-is-silent",
    undoes: `What counts on sources alone is a fault on a workload.`,
    file: "services/restarter/src/model/annotation-values.ts",
    find: `{ annotation: ANNOTATIONS.ignore.own, problem: sourceProblem },`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/annotations.test.ts",
      title: `ignore, which counts on sources alone, is a fault on a workload`,
    },
  },
  {
    name: "source-names-stay",
    undoes: `A source whose record is removed is forgotten.`,
    file: "services/restarter/src/index/workload-index.ts",
    find: `        if (source !== undefined) names.remove(source);
        return`,
    becomes: `        return`,
    killedBy: {
      file: "services/restarter/src/index/source-names.test.ts",
      title: `a source whose record is removed is forgotten, also in a gap of the watch`,
    },
  },
  {
    name: "source-names-of-a-gap-stay",
    undoes: `A source whose record was removed in a gap is forgotten.`,
    file: "services/restarter/src/index/workload-index.ts",
    find: `if (listed !== undefined) names.retain(listed);`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/index/source-names.test.ts",
      title: `a source whose record is removed is forgotten, also in a gap of the watch`,
    },
  },
  {
    name: "unreadable-source-has-no-name",
    undoes: `A source whose record cannot be read has its name.`,
    file: "services/restarter/src/index/workload-index.ts",
    find: `      if (source !== undefined) names.remove(source);
      add(source);`,
    becomes: ``,
    killedBy: {
      file: "services/restarter/src/index/source-names.test.ts",
      title: `a source whose record cannot be read keeps its name, and has it from the start`,
    },
  },
];
