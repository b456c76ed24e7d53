import { expect, test } from "vitest";
import { localSecurity } from "@rollcast/testkit/harness/base-config";
import { startReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { hookReceiver, startNotifierHarness } from "./harness.ts";
import { receivedIds } from "./received.ts";

test("routes choose among webhook, Slack, Teams, Google Chat and nobody", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startReceiver({ body: "ok" });
  await using teams = await startReceiver({ status: 202 });
  await using chat = await startReceiver();
  const route = {
    receiver: "hook",
    groupWait: "100ms",
    routes: [
      { match: ['outcome in ["planned", "started"]'], receiver: "nobody" },
      { match: ['severity >= "error"'], receiver: "slack", continue: true },
      { match: ['name =~ "web-.*"'], receiver: "teams" },
      { match: ['name == "api"'], receiver: "chat" },
    ],
  };
  const receivers = [
    hookReceiver(harness.hook),
    {
      name: "slack",
      slack: { webhookUrlFrom: { env: "SLACK_URL" } },
      security: localSecurity(slack),
    },
    { name: "teams", teams: { urlFrom: { env: "TEAMS_URL" } }, security: localSecurity(teams) },
    { name: "chat", googleChat: { urlFrom: { env: "CHAT_URL" } }, security: localSecurity(chat) },
    { name: "nobody", none: {} },
  ];
  await harness.start({
    notifier: { receivers, route },
    env: {
      SLACK_URL: `${slack.url}/services/T0/B0/secret-path`,
      TEAMS_URL: `${teams.url}/workflows/1?sig=secret-query`,
      CHAT_URL: `${chat.url}/v1/spaces/1/messages?key=secret-query`,
    },
  });
  await harness.publishEvent("planned", "web-1");
  await harness.publishEvent("failed", "web-1");
  await harness.publishEvent("succeeded", "api");
  const other = await harness.publishEvent("skipped", "db");
  expect((await slack.waitFor(() => true)).body).toContain("Rollout failed");
  expect((await teams.waitFor(() => true)).body).toContain("AdaptiveCard");
  expect((await chat.waitFor(() => true)).body).toContain("Rolled out: Deployment shop/api");
  await harness.hook.waitFor(() => true);
  await harness.waitAcknowledged();
  await harness.waitIdle();
  expect([slack, teams, chat].map(({ received }) => received.length)).toEqual([1, 1, 1]);
  expect(receivedIds(harness.hook.received)).toEqual(new Set([other]));
  expect(JSON.stringify([harness.logs(), await harness.events()])).not.toMatch(
    /secret-(path|query)/,
  );
});

test("a receiver that echoes its own URL does not leak it", async () => {
  await using harness = await startNotifierHarness();
  await using slack = await startReceiver();
  slack.answer((record) => ({ status: 404, body: `no ${record.path}` }));
  const receivers = [
    {
      name: "slack",
      slack: { webhookUrlFrom: { env: "SLACK_URL" } },
      security: localSecurity(slack),
    },
  ];
  const env = { SLACK_URL: `${slack.url}/services/T0/B0/secret-path?sig=secret-query` };
  await harness.start({ notifier: { receivers }, env });
  await harness.publishEvent("failed", "web");
  await harness.waitEvent("dead");
  const output = JSON.stringify([
    harness.logs(),
    await harness.events(),
    await harness.deadLetters(),
  ]);
  expect(output).toContain("the receiver answered 404: no ***");
  expect(output).not.toMatch(/secret-(path|query)/);
});

test("after its interval a group sends everything that joined in one message", async () => {
  await using harness = await startNotifierHarness();
  await harness.start({ notifier: { route: { groupWait: "100ms", groupInterval: "3s" } } });
  await harness.publishEvent("failed", "first");
  const first = await harness.hook.waitFor(() => true);
  const later = [
    await harness.publishEvent("failed", "second"),
    await harness.publishEvent("failed", "third"),
  ];
  await waitFor(() => harness.hook.received.length === 2, { message: "the second message" });
  const [, second] = harness.hook.received;
  expect(receivedIds(harness.hook.received.slice(1))).toEqual(new Set(later));
  expect((second?.at ?? 0) - first.at).toBeGreaterThanOrEqual(2_500);
});

test("a receiver that fails five times in a row is not tried until a probe is due", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 500 });
  const route = { groupBy: ["workload"], groupWait: "0", groupInterval: "0" };
  const notifier = await harness.start({ notifier: { route } });
  for (let i = 0; i < 20; i++) await harness.publishEvent("failed", `web-${i}`);
  const metric = 'rollcast_receiver_circuit{receiver="hook",state="open"} 1';
  await waitFor(
    async () => (await (await fetch(`${notifier.http()}/metrics`)).text()).includes(metric),
    { message: "the circuit to open" },
  );
  await harness.waitAcknowledged();
  await waitFor(
    async () =>
      (await harness.records()).filter((record) => record.type === "notification").length === 20,
    { message: "every notification to be a record" },
  );
  // Four may have been under way when the fifth failed.
  expect(harness.hook.received.length).toBeLessThan(10);
  const attempts = (await harness.records()).flatMap((record) =>
    record.type === "notification" ? record.attempts : [],
  );
  expect(attempts.length).toBeLessThanOrEqual(harness.hook.received.length);
});

test("a gone receiver is tried once; its other waiting messages become dead letters", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 410 });
  await harness.start({ notifier: { route: { groupBy: ["workload"], groupWait: "0" } } });
  await harness.publishEvent("failed", "web");
  await waitFor(async () => (await harness.deadLetters()).length === 1);
  await harness.publishEvent("failed", "api");
  await waitFor(async () => (await harness.deadLetters()).length === 2);
  expect(harness.hook.received).toHaveLength(1);
  expect((await harness.deadLetters()).map(({ reason }) => reason)).toEqual(["Gone", "Gone"]);
});

test.each([
  { name: "a bad matcher", notifier: { route: { routes: [{ match: ["x"] }] } }, says: "matcher" },
  {
    name: "an unknown receiver",
    notifier: { route: { receiver: "who" } },
    says: "no receiver named",
  },
  { name: "an unknown key", notifier: { groupWait: "1s" }, says: "unknown key" },
  {
    name: "a secret that is missing",
    notifier: { receivers: [{ name: "s", slack: { webhookUrlFrom: { env: "NOT_SET" } } }] },
    says: "NOT_SET",
  },
])("$name stops the start and says so", async ({ notifier, says }) => {
  await using harness = await startNotifierHarness();
  const started = await harness.start({ notifier, wait: false });
  expect(await started.exited).toBe(1);
  expect(JSON.stringify(started.logs)).toContain(says);
});

test("a workload's annotation adds a receiver in an allowed namespace; elsewhere a warning is logged", async () => {
  await using harness = await startNotifierHarness();
  await using team = await startReceiver();
  const receivers = [hookReceiver(harness.hook), hookReceiver(team, { name: "team" })];
  const route = { receiver: "hook", groupBy: ["workload"], groupWait: "0" };
  const annotation = { namespaces: ["shop"] };
  const notifier = await harness.start({ notifier: { receivers, route, annotation } });
  const workload = { kind: "Deployment", namespace: "other", name: "web", uid: "u" };
  const both = await harness.publishEvent("failed", "web", { notify: ["team"] });
  const exclusive = await harness.publishEvent("failed", "api", { notify: ["none", "team"] });
  const refused = await harness.publishEvent("failed", "db", {
    workload,
    notify: ["none", "team"],
  });
  await harness.waitAcknowledged();
  await harness.waitIdle();
  expect(receivedIds(harness.hook.received)).toEqual(new Set([both, refused]));
  expect(receivedIds(team.received)).toEqual(new Set([both, exclusive]));
  const warning = "ignoring receivers in the annotation of a workload";
  expect(notifier.logs.filter(({ msg }) => msg === warning)).toHaveLength(1);
});
