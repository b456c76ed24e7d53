import { dig, parseTime } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { condition, conditionId, conditionsOf, refusedReplicas, sentence } from "./conditions.ts";
import type {
  Annotations,
  PodTemplate,
  PodTemplateRef,
  RolloutStatus,
  TemplateRef,
  WorkloadKind,
} from "./kind.ts";
import { progressDeadlineMs } from "./progress-deadline.ts";

const STRATEGY = "rollcast.dev/rollout-strategy";
/** Why Argo gives a rollout up. */
const REASONS = new Set(["RolloutAborted", "ProgressDeadlineExceeded"]);

function text(object: KubeObject, ...path: readonly string[]): string | undefined {
  const field = dig(object, ...path);
  return typeof field === "string" && field !== "" ? field : undefined;
}

/** Before 0.10 it was a hash, which says nothing. */
function isObserved(object: KubeObject): boolean {
  const observed = text(object, "status", "observedGeneration");
  if (observed === undefined) return false;
  return !/^\d+$/.test(observed) || Number(observed) >= (object.metadata.generation ?? 0);
}

function failureOf(object: KubeObject): RolloutStatus {
  const invalid = condition(object, "InvalidSpec");
  const why = invalid ?? conditionsOf(object).find(({ reason }) => REASONS.has(reason ?? ""));
  const message = sentence(
    why?.message ?? text(object, "status", "message"),
    refusedReplicas(object),
  );
  return {
    state: "failed",
    reason: invalid === undefined ? (why?.reason ?? "Degraded") : "InvalidSpec",
    message,
    condition: conditionId(why),
    ...(isRestarted(object) ? { restarted: true } : {}),
  };
}

function isRestarted(object: KubeObject): boolean {
  return text(object, "spec", "restartAt") !== undefined && !isRestarting(object);
}

/** Whether pods older than `spec.restartAt` are still to be replaced. */
function isRestarting(object: KubeObject): boolean {
  const at = parseTime(text(object, "spec", "restartAt"));
  return at !== undefined && at !== parseTime(text(object, "status", "restartedAt"));
}

function phaseOf(object: KubeObject): string {
  const conditions = dig(object, "status", "pauseConditions");
  const none = !Array.isArray(conditions) || conditions.length === 0;
  const phase = text(object, "status", "phase") ?? "Progressing";
  const byController = dig(object, "status", "controllerPause") === true;
  const byOwner = phase === "Paused" && dig(object, "spec", "paused") !== true;
  // Somebody has just resumed it, and its controller has not seen that.
  return none && (byController || byOwner) ? "Progressing" : phase;
}

/**
 * The rules of `kubectl argo rollouts status`, https://github.com/argoproj/argo-rollouts
 * (utils/rollout/rolloututil.go).
 */
function status(object: KubeObject): RolloutStatus {
  const phase = phaseOf(object);
  const failed = phase === "Degraded" ? failureOf(object) : undefined;
  if (!isObserved(object)) return { state: "unobserved", before: failed };
  if (failed !== undefined) return failed;
  if (phase !== "Healthy") {
    const message = sentence(text(object, "status", "message") ?? phase, refusedReplicas(object));
    return { state: "progressing", message };
  }
  // A status that was written for a change of its size may still have the phase of before.
  if (condition(object, "Healthy")?.status === "False") {
    return { state: "progressing", message: "its pods are not counted yet" };
  }
  return isRestarting(object)
    ? { state: "progressing", message: "its pods are being restarted" }
    : { state: "complete" };
}

const paused = (object: KubeObject) =>
  dig(object, "spec", "paused") === true || phaseOf(object) === "Paused";

/**
 * https://argo-rollouts.readthedocs.io/en/stable/features/specification/ (`workloadRef`): another
 * generation of the template moves only the status.
 */
function templateRef(object: KubeObject): TemplateRef | undefined {
  const kind = text(object, "spec", "workloadRef", "kind");
  const name = text(object, "spec", "workloadRef", "name");
  if (kind === undefined || name === undefined) return undefined;
  const observedGeneration = Number(text(object, "status", "workloadObservedGeneration") ?? 0);
  return {
    kind,
    name,
    observedGeneration: Number.isNaN(observedGeneration) ? 0 : observedGeneration,
  };
}

/** What else Argo takes a template from: no workloads of a user, and nobody follows them. */
const TEMPLATES = new Map<string, Pick<PodTemplateRef, "group" | "plural" | "path">>([
  ["PodTemplate", { group: "", plural: "podtemplates", path: ["template"] }],
  ["ReplicaSet", { group: "apps", plural: "replicasets", path: ["spec", "template"] }],
]);

function workloadRef(object: KubeObject): TemplateRef | undefined {
  const ref = templateRef(object);
  return ref === undefined || TEMPLATES.has(ref.kind) ? undefined : ref;
}

function podTemplateRef(object: KubeObject): PodTemplateRef | undefined {
  const ref = templateRef(object);
  const template = TEMPLATES.get(ref?.kind ?? "");
  if (ref === undefined || template === undefined) return undefined;
  // One that is made again begins with generation 1, as the one before.
  const observed = `${ref.observedGeneration}/${String(dig(object, "status", "currentPodHash"))}`;
  return { ...ref, ...template, version: "v1", observed };
}

/** A new revision needs a patch of the template, and that of a PodTemplate is not Rollcast's. */
function rollBy(object: KubeObject, annotations: Annotations): "restart" | "patch" {
  const isRestarted = annotations[STRATEGY] === "restart" || podTemplateRef(object) !== undefined;
  return isRestarted ? "restart" : "patch";
}

export const argoRollout: WorkloadKind = {
  kind: "Rollout",
  group: "argoproj.io",
  version: "v1alpha1",
  plural: "rollouts",
  optional: true,
  templatePath: "/spec/template",
  template: (object) => dig(object, "spec", "template") as PodTemplate | undefined,
  workloadRef,
  podTemplateRef,
  rollBy,
  // A change of size may be answered with the patch's generation and the phase of before it.
  revision: (object) => text(object, "status", "currentPodHash"),
  restartedAt: (object) => text(object, "spec", "restartAt"),
  status,
  paused,
  restartsOnEdit: (object) => dig(object, "spec", "paused") !== true,
  deadlineMs: progressDeadlineMs,
};
