import { expect, test } from "vitest";
import { waitFor } from "@rollcast/testkit/wait";
import { CHANNEL, waitDelivered, startBot, startSlack } from "./fake-slack.ts";
import { startNotifierHarness } from "./harness.ts";

test("a rollout is one message, edited from its start to its end, across a restart of the notifier", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startSlack();
  const first = await startBot(harness, slack);
  for (const name of ["web", "api"]) await harness.publishEvent("started", name, { affected: 3 });
  await waitDelivered(harness);
  expect(slack.messages).toMatchObject([{ text: expect.stringContaining("Rollout started") }]);
  expect(slack.messages[0]?.text).toContain("2 workloads");
  expect(await first.kill("SIGTERM")).toBe(0);
  await startBot(harness, slack);
  await harness.publishEvent("succeeded", "web");
  await waitDelivered(harness);
  expect(slack.messages).toHaveLength(1);
  expect(slack.messages[0]?.text).toContain("started, succeeded");
  await harness.publishEvent("succeeded", "api");
  await waitDelivered(harness);
  expect(slack.messages).toHaveLength(1);
  expect(slack.messages[0]?.text).toContain("✅ Rolled out: 2 workloads (test)");
  expect(slack.messages[0]?.channel).toBe(CHANNEL);
  expect(JSON.stringify(slack.messages[0]?.blocks)).toContain("ConfigMap shop/web-config");
});

test("a failure and a stall are replies that are shown in the channel too, and look different", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startSlack();
  await startBot(harness, slack);
  for (const name of ["web", "api"]) await harness.publishEvent("started", name);
  await waitDelivered(harness);
  await harness.publishEvent("stalled", "web", { reason: "Deadline" });
  await waitDelivered(harness);
  await harness.publishEvent("failed", "api", { reason: "ProgressDeadlineExceeded" });
  await waitDelivered(harness);
  const [top, stalled, failed, ...rest] = slack.messages;
  expect(rest).toEqual([]);
  expect(top?.text).toContain("failed, stalled");
  expect(stalled).toMatchObject({ thread: top?.ts, broadcast: true });
  expect(stalled?.text).toBe("⚠️ Rollout does not come to an end: Deployment shop/web (test)");
  expect(failed).toMatchObject({ thread: top?.ts, broadcast: true });
  expect(failed?.text).toBe("🔴 Rollout failed: Deployment shop/api (test)");
  expect(JSON.stringify(failed?.blocks)).toContain("kubectl -n shop rollout status deployment/api");
});

test("without threads a failure is a message of its own", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startSlack();
  await startBot(harness, slack, { bot: { thread: false } });
  await harness.publishEvent("started", "web");
  await waitDelivered(harness);
  await harness.publishEvent("failed", "web");
  await waitDelivered(harness);
  expect(slack.messages).toHaveLength(2);
  expect(slack.messages.every(({ thread }) => thread === undefined)).toBe(true);
  expect(slack.messages[0]?.edits).toBe(1);
});

test("a message that a person deleted is posted anew, and edited from then on", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startSlack();
  await startBot(harness, slack);
  for (const name of ["web", "api"]) await harness.publishEvent("started", name);
  await waitDelivered(harness);
  slack.forget(slack.messages[0]?.ts ?? "");
  await harness.publishEvent("succeeded", "web");
  await waitDelivered(harness);
  expect(slack.messages).toHaveLength(1);
  await harness.publishEvent("succeeded", "api");
  await waitDelivered(harness);
  expect(slack.messages).toMatchObject([{ edits: 1, text: expect.stringContaining("✅") }]);
});

test("a start that arrives after the end makes no message", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startSlack();
  await startBot(harness, slack);
  await harness.publishEvent("succeeded", "web");
  await waitDelivered(harness);
  await harness.publishEvent("started", "web");
  await waitDelivered(harness);
  expect(slack.messages).toMatchObject([{ edits: 0, text: expect.stringContaining("Rolled out") }]);
});

test("killed between a post and its record, it repeats at most that post", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startSlack();
  const first = await startBot(harness, slack, { kill: "posted" });
  await harness.publishEvent("started", "web");
  expect(await first.exited).toBe("SIGKILL");
  await startBot(harness, slack);
  await waitFor(() => slack.messages.length > 1, { timeout: 60_000, message: "the post again" });
  await harness.publishEvent("succeeded", "web");
  await waitDelivered(harness);
  const edited = slack.messages.filter(({ text }) => text.includes("Rolled out"));
  expect(slack.messages).toHaveLength(2);
  expect(edited).toHaveLength(1);
});

test("two notifiers make one message of a rollout", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startSlack();
  await Promise.all([startBot(harness, slack), startBot(harness, slack)]);
  for (const outcome of ["started", "succeeded"] as const) {
    await Promise.all(["web", "api", "db"].map((name) => harness.publishEvent(outcome, name)));
  }
  await waitDelivered(harness);
  const names = slack.messages.map(({ text }) => text);
  expect(names.filter((text) => !text.includes("✅"))).toEqual([]);
  expect(slack.messages.length).toBeLessThanOrEqual(2);
});
