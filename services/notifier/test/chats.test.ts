import { localSecurity } from "@rollcast/testkit/harness/base-config";
import { expect, test } from "vitest";
import { waitDelivered } from "./fake-slack.ts";
import { startNotifierHarness } from "./harness.ts";
import type { NotifierHarness } from "./harness.ts";

const SECRET_PATH = "/triggers/a1B2c3D4e5F6g7H8i9J0";

function start(harness: NotifierHarness, kind: object) {
  const security = localSecurity(harness.hook);
  return harness.start({
    notifier: {
      receivers: [{ name: "chat", ...kind, security }],
      route: { groupWait: "300ms", groupInterval: "300ms" },
    },
    env: { TEST_CHAT_URL: `${harness.hook.url}${SECRET_PATH}?sig=query-is-secret` },
  });
}

const CHATS = [
  { name: "Teams", kind: { teams: { urlFrom: { env: "TEST_CHAT_URL" } } }, ok: { status: 202 } },
  { name: "Google Chat", kind: { googleChat: { urlFrom: { env: "TEST_CHAT_URL" } } }, ok: {} },
  {
    name: "Slack's webhook",
    kind: { slack: { webhookUrlFrom: { env: "TEST_CHAT_URL" } } },
    ok: {},
  },
];

test.each(CHATS)("$name: an accepted message is sent once", async ({ kind, ok }) => {
  await using harness = await startNotifierHarness();
  harness.hook.answer(ok);
  await start(harness, kind);
  await harness.publishEvent("failed", "web", { reason: "ProgressDeadlineExceeded", affected: 12 });
  await waitDelivered(harness);
  expect(harness.hook.received).toHaveLength(1);
  const [received] = harness.hook.received;
  expect(received?.headers["content-type"]).toBe("application/json; charset=utf-8");
  // As JSON has a backslash, which keeps Teams from reading a mark.
  const shown = received?.body.replaceAll("\\\\_", "_");
  for (const part of [
    "Rollout failed: Deployment shop/web",
    "ConfigMap shop/web-config",
    "LOG_LEVEL",
    "kubectl-edit",
    "11 other workloads",
    "kubectl -n shop rollout status deployment/web",
  ]) {
    expect(shown).toContain(part);
  }
});

test.each(CHATS)(
  "$name: a refused message is a dead letter that does not show its address",
  async ({ kind }) => {
    await using harness = await startNotifierHarness();
    harness.hook.answer(({ path }) => ({ status: 413, body: `too large for ${path}` }));
    await start(harness, kind);
    await harness.publishEvent("failed", "web");
    await harness.waitEvent("dead");
    await waitDelivered(harness);
    const letters = await harness.deadLetters();
    expect(letters).toMatchObject([{ reason: "TooLarge", record: { receiver: "chat" } }]);
    const output =
      JSON.stringify([letters, await harness.events(), harness.logs()]) + (await harness.metrics());
    expect(output).not.toContain("query-is-secret");
    expect(output).not.toContain(SECRET_PATH);
  },
);
