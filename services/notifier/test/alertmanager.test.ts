import { expect, test } from "vitest";
import { localSecurity } from "@rollcast/testkit/harness/base-config";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { waitDelivered } from "./fake-slack.ts";
import { startNotifierHarness } from "./harness.ts";
import type { NotifierHarness } from "./harness.ts";

type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
};

function start(
  harness: NotifierHarness,
  managers: readonly TestReceiver[],
  more: object = {},
  route: object = {},
) {
  return harness.start({
    notifier: {
      receivers: [
        {
          name: "alerts",
          alertmanager: {
            urls: managers.map(({ url }) => `${url}/prefix/`),
            labels: { team: "shop" },
            ...more,
          },
          security: localSecurity(...managers),
        },
      ],
      route: { groupWait: "300ms", groupInterval: "300ms", ...route },
    },
    env: { TEST_AM_TOKEN: "token-of-the-alertmanager" },
  });
}

/** The alerts of an instance, each as last received. */
function alertsAt(manager: TestReceiver, now = Date.now()) {
  const byLabels = new Map<string, Alert>();
  for (const { path, body } of manager.received) {
    expect(path).toBe("/prefix/api/v2/alerts");
    for (const alert of JSON.parse(body) as Alert[])
      byLabels.set(JSON.stringify(alert.labels), alert);
  }
  return [...byLabels.values()].map((alert) => ({
    name: `${alert.labels.alertname} ${alert.labels.workload}`,
    firing: Date.parse(alert.endsAt) > now,
    alert,
  }));
}

test("a failure fires at every instance, and the workload's next success resolves it", async () => {
  await using harness = await startNotifierHarness();
  await using other = await startReceiver();
  await start(harness, [harness.hook, other], { tokenFrom: { env: "TEST_AM_TOKEN" } });
  await harness.publishEvent("failed", "web", { reason: "ProgressDeadlineExceeded" });
  await harness.publishEvent("stalled", "api");
  await waitDelivered(harness);
  for (const manager of [harness.hook, other]) {
    const alerts = alertsAt(manager);
    expect(alerts.map(({ name }) => name).toSorted()).toEqual([
      "RollcastRolloutFailed web",
      "RollcastRolloutStalled api",
    ]);
    expect(alerts.every(({ firing }) => firing)).toBe(true);
  }
  const failed = alertsAt(other).find(({ name }) => name.includes("Failed"));
  expect(failed?.alert.labels).toMatchObject({
    cluster: "test",
    namespace: "shop",
    workload_type: "deployment",
    severity: "critical",
    team: "shop",
  });
  expect(failed?.alert.annotations.summary).toBe("Rollout failed: Deployment shop/web (test)");
  expect(failed?.alert.annotations.description).toContain("Cause: ConfigMap shop/web-config");
  expect(failed?.alert.annotations.description).toContain(
    "rollcast explain deployment/web -n shop",
  );
  expect(harness.hook.received[0]?.headers.authorization).toBe("Bearer token-of-the-alertmanager");
  await harness.publishEvent("succeeded", "web");
  await waitDelivered(harness);
  for (const manager of [harness.hook, other]) {
    expect(alertsAt(manager).filter(({ firing }) => firing)).toMatchObject([
      { name: "RollcastRolloutStalled api" },
    ]);
  }
});

test("firing alerts are resent after a restart of the notifier, and a success then resolves them", async () => {
  await using harness = await startNotifierHarness();
  const first = await start(harness, [harness.hook], { resendInterval: "1s" });
  await harness.publishEvent("failed", "web");
  await waitDelivered(harness);
  await first.kill("SIGKILL");
  const before = harness.hook.received.length;
  await start(harness, [harness.hook], { resendInterval: "1s" });
  await waitFor(() => harness.hook.received.length >= before + 2, {
    message: "the alert to be resent",
  });
  expect(alertsAt(harness.hook)).toMatchObject([{ firing: true }]);
  await harness.publishEvent("succeeded", "web");
  await waitDelivered(harness);
  const ended = harness.hook.received.length;
  await waitFor(() => harness.hook.received.length > ended, {
    message: "its end to be resent",
  });
  expect(alertsAt(harness.hook)).toMatchObject([{ firing: false }]);
});

test("one instance that accepts the alert is enough; the other gets it when it is back", async () => {
  await using harness = await startNotifierHarness();
  await using other = await startReceiver({ status: 503 });
  await start(harness, [harness.hook, other], { resendInterval: "1s" });
  await harness.publishEvent("failed", "web");
  expect(await harness.waitEvent("sent")).toMatchObject({ data: { attempts: 1 } });
  other.answer({});
  const refused = other.received.length;
  await waitFor(() => other.received.length > refused, { message: "the other to get the alert" });
  expect(alertsAt(other)).toMatchObject([{ firing: true }]);
});

test.each([
  { name: "503", answer: { status: 503 } },
  { name: "429 with Retry-After", answer: { status: 429, headers: { "retry-after": "1" } } },
])("after $name the alert is resent", async ({ answer }) => {
  await using harness = await startNotifierHarness();
  let first = true;
  harness.hook.answer(() => {
    const refuse = first;
    first = false;
    return refuse ? answer : {};
  });
  await start(harness, [harness.hook]);
  await harness.publishEvent("failed", "web");
  await waitDelivered(harness);
  expect(harness.hook.received).toHaveLength(2);
});

test("a delayed failure that is older than the success does not fire", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer(() => (harness.hook.received.length === 1 ? { status: 503 } : {}));
  await start(harness, [harness.hook]);
  await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(() => true);
  await harness.publishEvent("succeeded", "web");
  await waitDelivered(harness);
  expect(harness.hook.received.length).toBeGreaterThanOrEqual(3);
  expect(alertsAt(harness.hook)).toMatchObject([{ firing: false }]);
});

test("a message without alerts checks that the Alertmanager answers", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 401 });
  await start(harness, [harness.hook], {}, { receiver: "alerts" });
  await harness.publishEvent("skipped", "web");
  expect(await harness.waitEvent("dead")).toMatchObject({ data: { reason: "Unauthorized" } });
  expect(harness.hook.received).toMatchObject([{ body: "[]" }]);
});

test("400 makes the message a dead letter at once", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 400, body: "token-of-the-alertmanager" });
  await start(harness, [harness.hook], { tokenFrom: { env: "TEST_AM_TOKEN" } });
  await harness.publishEvent("failed", "web");
  await harness.waitEvent("dead");
  await waitDelivered(harness);
  const letters = await harness.deadLetters();
  expect(letters).toMatchObject([{ reason: "BadRequest" }]);
  expect(JSON.stringify([letters, harness.logs()])).not.toContain("token-of-the-alertmanager");
});
