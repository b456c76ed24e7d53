import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { condition, sentence } from "./conditions.ts";
import type { PodTemplate, RolloutStatus, WorkloadKind } from "./kind.ts";

function ended(object: KubeObject): RolloutStatus | undefined {
  if (condition(object, "Complete")?.status === "True") return { state: "complete" };
  const failed = condition(object, "Failed");
  if (failed?.status !== "True") return undefined;
  return { state: "failed", reason: failed.reason ?? "Failed", message: sentence(failed.message) };
}

/** https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions */
function status(object: KubeObject): RolloutStatus {
  const end = ended(object);
  if (end !== undefined) return end;
  const active = digNumber(object, 0, "status", "active");
  return { state: "progressing", message: `${active} pods are active` };
}

/** Whatever they say: each tool has names that the others do not know, also for tests. */
const HOOKS = ["helm.sh/hook", "argocd.argoproj.io/hook"];

const suspended = (object: KubeObject) => dig(object, "spec", "suspend") === true;

export const job: WorkloadKind = {
  kind: "Job",
  group: "batch",
  version: "v1",
  plural: "jobs",
  transient: true,
  templatePath: "/spec/template",
  template: (object) => dig(object, "spec", "template") as PodTemplate | undefined,
  rollBy: () => "recreate",
  hold: (object) => (suspended(object) ? "Suspended" : undefined),
  stopped: (object) => suspended(object) && condition(object, "Suspended")?.status === "True",
  finished: (object) => ended(object) !== undefined,
  hook: ({ metadata }) => HOOKS.some((name) => metadata.annotations?.[name] !== undefined),
  status,
  paused: suspended,
  restartsOnEdit: () => false,
  deadlineMs(object) {
    const seconds = digNumber(object, 0, "spec", "activeDeadlineSeconds");
    return seconds === 0 ? undefined : seconds * 1_000;
  },
};
