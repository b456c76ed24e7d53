import { RolloutOutcome, stableId } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutData, RolloutEvent } from "@rollcast/shared/events";

const TIME = Date.parse("2026-01-01T00:00:00.000Z");

function sample(outcome: RolloutOutcome, name: string, more: Partial<RolloutData>): RolloutEvent {
  const workload = { kind: "Deployment", namespace: "shop", name, uid: "" };
  const id = stableId("sample", outcome, name);
  const parts = { id, cluster: "sample", service: "restarter", time: TIME };
  return rolloutEvent(parts, outcome, { workload, ...more });
}

/** An event with every field set. */
export function fullSample(outcome: RolloutOutcome, name = "web"): RolloutEvent {
  return sample(outcome, name, {
    rollout: stableId("sample", name),
    queue: "default",
    cause: {
      kind: "ConfigMap",
      namespace: "shop",
      name: "web-config",
      changedKeys: { added: ["NEW_KEY"], changed: ["LOG_LEVEL"], removed: [] },
      changedBy: { manager: "kubectl-edit" },
      changedAt: "2026-01-01T00:00:00.000Z",
    },
    sources: 1,
    affected: 12,
    reason: "ProgressDeadlineExceeded",
    message: 'ReplicaSet "web-7c9f" has timed out progressing.',
    durationMs: 600_000,
    dueAt: "2026-01-01T00:10:00.000Z",
  });
}

/**
 * Events that a template may have to render: one with every field, one with the fewest, and a
 * group. `mixed`: one event of each outcome.
 */
export function sampleGroups(outcome: RolloutOutcome | "mixed"): RolloutEvent[][] {
  if (outcome === "mixed") {
    return [RolloutOutcome.options.map((outcome) => fullSample(outcome, `web-${outcome}`))];
  }
  const least = sample(outcome, "web", {});
  return [[fullSample(outcome)], [least], [fullSample(outcome), sample(outcome, "api", {})]];
}
