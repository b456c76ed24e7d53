import { expect, test } from "vitest";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { Receiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { settled } from "./fake-slack.ts";
import { startRig } from "./harness.ts";
import type { Rig } from "./harness.ts";

type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
};

function start(rig: Rig, managers: readonly Receiver[], more: object = {}, route: object = {}) {
  return rig.start({
    notifier: {
      receivers: [
        {
          name: "alerts",
          alertmanager: {
            urls: managers.map(({ url }) => `${url}/prefix/`),
            labels: { team: "shop" },
            ...more,
          },
          security: {
            allowHttp: true,
            allowCidrs: ["127.0.0.0/8"],
            allowedPorts: managers.map(({ port }) => port),
          },
        },
      ],
      route: { groupWait: "300ms", groupInterval: "300ms", ...route },
    },
    env: { TEST_AM_TOKEN: "token-of-the-alertmanager" },
  });
}

/** The alerts of an instance, each as it was told last. */
function alertsAt(manager: Receiver, now = Date.now()) {
  const known = new Map<string, Alert>();
  for (const { path, body } of manager.received) {
    expect(path).toBe("/prefix/api/v2/alerts");
    for (const alert of JSON.parse(body) as Alert[]) known.set(JSON.stringify(alert.labels), alert);
  }
  return [...known.values()].map((alert) => ({
    name: `${alert.labels.alertname} ${alert.labels.workload}`,
    firing: Date.parse(alert.endsAt) > now,
    alert,
  }));
}

test("a failure fires at every instance, and the workload's next success ends it", async () => {
  await using rig = await startRig();
  await using other = await startReceiver();
  await start(rig, [rig.hook, other], { tokenFrom: { env: "TEST_AM_TOKEN" } });
  await rig.tell("failed", "web", { reason: "ProgressDeadlineExceeded" });
  await rig.tell("stalled", "api");
  await settled(rig);
  for (const manager of [rig.hook, other]) {
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
  expect(rig.hook.received[0]?.headers.authorization).toBe("Bearer token-of-the-alertmanager");
  await rig.tell("succeeded", "web");
  await settled(rig);
  for (const manager of [rig.hook, other]) {
    expect(alertsAt(manager).filter(({ firing }) => firing)).toMatchObject([
      { name: "RollcastRolloutStalled api" },
    ]);
  }
});

test("what fires is told again over a restart of the notifier, and a success ends it then", async () => {
  await using rig = await startRig();
  const first = await start(rig, [rig.hook], { resendInterval: "1s" });
  await rig.tell("failed", "web");
  await settled(rig);
  await first.kill("SIGKILL");
  const before = rig.hook.received.length;
  await start(rig, [rig.hook], { resendInterval: "1s" });
  await waitFor(() => rig.hook.received.length >= before + 2, { message: "it to be told again" });
  expect(alertsAt(rig.hook)).toMatchObject([{ firing: true }]);
  await rig.tell("succeeded", "web");
  await settled(rig);
  const ended = rig.hook.received.length;
  await waitFor(() => rig.hook.received.length > ended, { message: "its end to be told again" });
  expect(alertsAt(rig.hook)).toMatchObject([{ firing: false }]);
});

test("one instance that takes it is enough, the other is told when it is back", async () => {
  await using rig = await startRig();
  await using other = await startReceiver({ status: 503 });
  await start(rig, [rig.hook, other], { resendInterval: "1s" });
  await rig.tell("failed", "web");
  expect(await rig.waitEvent("sent")).toMatchObject({ data: { attempts: 1 } });
  other.answer({});
  const refused = other.received.length;
  await waitFor(() => other.received.length > refused, { message: "the other to be told" });
  expect(alertsAt(other)).toMatchObject([{ firing: true }]);
});

test.each([
  { name: "503", answer: { status: 503 } },
  { name: "429 with Retry-After", answer: { status: 429, headers: { "retry-after": "1" } } },
])("after $name it is told again", async ({ answer }) => {
  await using rig = await startRig();
  let first = true;
  rig.hook.answer(() => {
    const refuse = first;
    first = false;
    return refuse ? answer : {};
  });
  await start(rig, [rig.hook]);
  await rig.tell("failed", "web");
  await settled(rig);
  expect(rig.hook.received).toHaveLength(2);
});

test("a failure that was put off and is older than the success does not fire", async () => {
  await using rig = await startRig();
  rig.hook.answer(() => (rig.hook.received.length === 1 ? { status: 503 } : {}));
  await start(rig, [rig.hook]);
  await rig.tell("failed", "web");
  await rig.hook.waitFor(() => true);
  await rig.tell("succeeded", "web");
  await settled(rig);
  expect(rig.hook.received.length).toBeGreaterThanOrEqual(3);
  expect(alertsAt(rig.hook)).toMatchObject([{ firing: false }]);
});

test("what is no alert asks whether it is there", async () => {
  await using rig = await startRig();
  rig.hook.answer({ status: 401 });
  await start(rig, [rig.hook], {}, { receiver: "alerts" });
  await rig.tell("skipped", "web");
  expect(await rig.waitEvent("dead")).toMatchObject({ data: { reason: "unauthorized" } });
  expect(rig.hook.received).toMatchObject([{ body: "[]" }]);
});

test("400 puts the message into the dead letters at once", async () => {
  await using rig = await startRig();
  rig.hook.answer({ status: 400, body: "token-of-the-alertmanager" });
  await start(rig, [rig.hook], { tokenFrom: { env: "TEST_AM_TOKEN" } });
  await rig.tell("failed", "web");
  await rig.waitEvent("dead");
  await settled(rig);
  const letters = await rig.deadLetters();
  expect(letters).toMatchObject([{ reason: "bad-request" }]);
  expect(JSON.stringify([letters, rig.logs()])).not.toContain("token-of-the-alertmanager");
});
