import { dig, digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";
import type { PodTemplate, RolloutStatus, WorkloadKind } from "./kind.ts";

/**
 * `template`: only the template is marked, so that the next scheduled run is the first with the new
 * content. So too for what is no value of it: nobody has asked for a run.
 */
const CRONJOB = "rollcast.dev/cronjob";

function hold(object: KubeObject): "Suspended" | "Running" | undefined {
  if (dig(object, "spec", "suspend") === true) return "Suspended";
  const active = dig(object, "status", "active");
  return exclusive(object) && Array.isArray(active) && active.length > 0 ? "Running" : undefined;
}

/** `Replace` would end a run for the next one; a change ends none, so it waits as with `Forbid`. */
const ONE_AT_A_TIME: ReadonlySet<unknown> = new Set(["Forbid", "Replace"]);

function exclusive(object: KubeObject): boolean {
  return ONE_AT_A_TIME.has(dig(object, "spec", "concurrencyPolicy"));
}

/** A marked template is all there is to do; where a Job was run, its own status says. */
function status(): RolloutStatus {
  return { state: "complete", reason: "TemplateMarked" };
}

export const cronJob: WorkloadKind = {
  kind: "CronJob",
  group: "batch",
  version: "v1",
  plural: "cronjobs",
  templatePath: "/spec/jobTemplate/spec/template",
  template: (object) =>
    dig(object, "spec", "jobTemplate", "spec", "template") as PodTemplate | undefined,
  rollBy: (_, annotations) => ((annotations[CRONJOB] ?? "") === "" ? "job" : "patch"),
  hold,
  exclusive,
  status,
  paused: () => false,
  restartsOnEdit: () => false,
  deadlineMs(object) {
    const spec = dig(object, "spec", "jobTemplate", "spec");
    const seconds = digNumber(spec, 0, "activeDeadlineSeconds");
    return seconds === 0 ? undefined : seconds * 1_000;
  },
};
