import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import { messageOf } from "../../services/notifier/src/message/message.ts";
import type { Message } from "../../services/notifier/src/message/message.ts";
import { renderSlack } from "../../services/notifier/src/receivers/slack-webhook.ts";
import { renderTeams } from "../../services/notifier/src/receivers/teams.ts";

type SampleEvent = readonly [RolloutOutcome, string, Partial<RolloutData>?];

const TIME = Date.parse("2026-11-23T03:10:04.000Z");
const CAUSE: RolloutData["cause"] = {
  kind: "ConfigMap",
  namespace: "shop",
  name: "web-config",
  changedKeys: { added: ["CACHE_TTL"], changed: ["LOG_LEVEL"], removed: [] },
  changedBy: { manager: "argocd-controller" },
  changedAt: "2026-11-23T03:00:00.000Z",
};

function message(samples: readonly SampleEvent[]): Message {
  const events = samples.map(([outcome, name, more], i) => {
    const parts = { id: `e${i}`, cluster: "prod-eu1", service: "restarter", time: TIME };
    const workload = { kind: "Deployment", namespace: "shop", name, uid: "" };
    return rolloutEvent(parts, outcome, { workload, cause: CAUSE, affected: 12, ...more });
  });
  return messageOf({ id: "n1", events, labels: {}, createdAt: TIME }, "prod-eu1");
}

const FAILED = message([
  [
    "failed",
    "checkout",
    {
      reason: "ProgressDeadlineExceeded",
      message: 'ReplicaSet "checkout-7c9f8d5b6" has timed out progressing.',
      durationMs: 600_000,
    },
  ],
]);
const GROUP = message([
  ["failed", "checkout", { reason: "ProgressDeadlineExceeded", durationMs: 600_000 }],
  ...["web", "search", "cart", "basket", "mail"].map((name, i): SampleEvent => [
    "succeeded",
    name,
    { durationMs: 21_000 + i * 4_000 },
  ]),
  ["started", "stock"],
]);

/** Request bodies as the notifier sends them, by the name of their picture. */
export function sampleBodies(): { slack: string[]; teams: string[] } {
  return {
    slack: [renderSlack(GROUP).body, renderSlack(FAILED).body],
    teams: [renderTeams(FAILED).body],
  };
}
