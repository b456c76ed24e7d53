import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { startReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import type { NotificationRecord } from "../src/model/notification-record.ts";
import { SECRET, hookReceiver, startRig } from "./harness.ts";
import { bodyOf, toldIds } from "./received.ts";

test("a failed rollout is delivered, signed, with what a person on call wants and the event itself", async () => {
  await using rig = await startRig();
  const notifier = await rig.start();
  const id = await rig.tell("failed", "web", { reason: "ProgressDeadlineExceeded" });
  const received = await rig.hook.waitFor(() => true);
  const headers = received.headers as Record<string, string>;
  expect(new Webhook(SECRET).verify(received.body, headers)).toBeTruthy();
  const body = bodyOf(received);
  expect(body.type).toBe("rollout.failed");
  expect(body.data.id).toBe(headers["webhook-id"]);
  expect(body.data.events.map((event) => event.id)).toEqual([id]);
  expect(body.data.title).toContain("Deployment shop/web");
  for (const part of [
    "test",
    "ProgressDeadlineExceeded",
    "ConfigMap shop/web-config",
    "LOG_LEVEL",
    "kubectl-edit",
    "2026-11-23T03:00:00.000Z",
    "12s",
  ]) {
    expect(body.data.text).toContain(part);
  }
  expect(await rig.waitEvent("sent")).toMatchObject({
    subject: "hook",
    data: { receiver: "hook", notification: body.data.id, events: [id], attempts: 1 },
  });
  await rig.waitIdle();
  expect(rig.hook.received).toHaveLength(1);
  expect(await notifier.kill("SIGTERM")).toBe(0);
});

test("successes of one namespace are one message; what nobody needs to know is none", async () => {
  await using rig = await startRig();
  await rig.start({ notifier: { route: { groupWait: "2s", groupInterval: "2s" } } });
  for (const quiet of ["planned", "started", "superseded", "cancelled", "deferred"]) {
    await rig.tell(quiet as "planned", "web");
  }
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, i) => rig.tell("succeeded", `web-${i}`)),
  );
  await rig.hook.waitFor(() => true);
  await rig.waitIdle();
  expect(rig.hook.received).toHaveLength(1);
  expect(toldIds(rig.hook.received)).toEqual(new Set(ids));
  const [received] = rig.hook.received;
  expect(received === undefined ? "" : bodyOf(received).data.title).toContain("20 workloads");
});

test("format cloudevents sends the events as a batch", async () => {
  await using rig = await startRig();
  const webhook = { url: `${rig.hook.url}/ce`, format: "cloudevents" };
  await rig.start({ notifier: { receivers: [hookReceiver(rig.hook, { webhook })] } });
  const id = await rig.tell("stalled", "web");
  const received = await rig.hook.waitFor(() => true);
  expect(received.headers["content-type"]).toContain("application/cloudevents-batch+json");
  expect(received.headers["webhook-signature"]).toBeUndefined();
  expect(JSON.parse(received.body)).toMatchObject([{ id, specversion: "1.0" }]);
});

test("429 with Retry-After is waited for, without using an attempt, and under the same id", async () => {
  await using rig = await startRig();
  let first = true;
  rig.hook.answer(() => {
    const refuse = first;
    first = false;
    return refuse ? { status: 429, headers: { "retry-after": "2" } } : {};
  });
  await rig.start();
  await rig.tell("failed", "web");
  await rig.waitEvent("sent");
  const [one, two, ...rest] = rig.hook.received;
  expect(rest).toEqual([]);
  expect(two?.headers["webhook-id"]).toBe(one?.headers["webhook-id"]);
  expect((two?.at ?? 0) - (one?.at ?? 0)).toBeGreaterThanOrEqual(1_900);
  expect(await rig.waitEvent("sent")).toMatchObject({ data: { attempts: 1 } });
});

test.each([
  { name: "503", answer: { status: 503 } },
  { name: "a connection reset", answer: { instead: "reset" as const } },
])("$name is tried again under the same id", async ({ answer }) => {
  await using rig = await startRig();
  let first = true;
  rig.hook.answer(() => {
    const refuse = first;
    first = false;
    return refuse ? answer : {};
  });
  await rig.start();
  await rig.tell("failed", "web");
  expect(await rig.waitEvent("sent")).toMatchObject({ data: { attempts: 2 } });
  const ids = new Set(rig.hook.received.map((one) => one.headers["webhook-id"]));
  expect(ids.size).toBe(1);
  expect(rig.hook.received).toHaveLength(2);
});

test.each([
  { status: 302, reason: "redirect" },
  { status: 400, reason: "bad-request" },
  { status: 410, reason: "gone" },
  { status: 413, reason: "too-large" },
])("$status puts the whole message into the dead letters at once", async ({ status, reason }) => {
  await using rig = await startRig();
  const elsewhere = `${rig.hook.url}/elsewhere?token=query-is-secret`;
  rig.hook.answer({ status, headers: { location: elsewhere }, body: `see ${elsewhere}` });
  await rig.start();
  const id = await rig.tell("failed", "web");
  expect(await rig.waitEvent("dead")).toMatchObject({ data: { receiver: "hook", reason } });
  await rig.waitIdle();
  expect(rig.hook.received).toHaveLength(1);
  const letters = await rig.deadLetters();
  expect(letters).toHaveLength(1);
  expect(letters[0]).toMatchObject({ reason, record: { receiver: "hook", reason } });
  expect(letters[0]?.record.tries).toHaveLength(1);
  expect(letters[0]?.record.events.map((event) => event.id)).toEqual([id]);
  const told = JSON.stringify([letters, await rig.events(), rig.logs()]);
  expect(told).not.toContain("query-is-secret");
  expect(told).not.toContain(SECRET);
});

test("while a receiver asks to wait, nothing else is sent to it either", async () => {
  await using rig = await startRig();
  rig.hook.answer(() =>
    rig.hook.received.length === 1 ? { status: 429, headers: { "retry-after": "3" } } : {},
  );
  await rig.start({ notifier: { route: { groupBy: ["workload"], groupWait: "0" } } });
  await rig.tell("failed", "web");
  const refused = await rig.hook.waitFor(() => true);
  await waitFor(async () => (await rig.metrics()).includes('reason="throttled"'), {
    message: "the pause to be counted",
  });
  for (const name of ["api", "db", "cache"]) await rig.tell("failed", name);
  await rig.waitAcknowledged();
  await rig.waitIdle();
  expect(rig.hook.received).toHaveLength(5);
  for (const one of rig.hook.received.slice(1)) {
    expect(one.at - refused.at).toBeGreaterThanOrEqual(2_800);
  }
});

test("a receiver is not sent more than its rate limit", async () => {
  await using rig = await startRig();
  await rig.start({
    notifier: {
      receivers: [hookReceiver(rig.hook, { rateLimit: { max: 2, per: "1s" } })],
      route: { groupBy: ["workload"], groupWait: "0" },
    },
  });
  for (let i = 0; i < 8; i++) await rig.tell("failed", `web-${i}`);
  await rig.waitAcknowledged();
  await rig.waitIdle();
  const times = rig.hook.received.map(({ at }) => at).toSorted((a, b) => a - b);
  expect(times).toHaveLength(8);
  // Eight at two a second take four windows, so three whole ones lie between the first and the last.
  expect((times[7] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(2_000);
});

const HOUR = 3_600_000;

function leftRecord(more: Partial<NotificationRecord>): NotificationRecord {
  return {
    v: 1,
    type: "notification",
    id: "left",
    group: "g1",
    receiver: "hook",
    labels: {},
    events: [],
    createdAt: Date.now(),
    dueAt: Date.now(),
    tries: [],
    state: "waiting",
    ...more,
  };
}

test.each([
  {
    name: "a message older than a day",
    record: leftRecord({ createdAt: Date.now() - 25 * HOUR }),
    reason: "expired",
    asked: 0,
  },
  {
    name: "a message whose tries are used up",
    record: leftRecord({
      tries: Array.from({ length: 10 }, () => ({ at: 0, reason: "status-503", message: "" })),
    }),
    reason: "status-503",
    asked: 1,
  },
  {
    name: "a message that is dead but was not published yet",
    record: leftRecord({ state: "dead", reason: "gone", message: "" }),
    reason: "gone",
    asked: 0,
  },
])("$name goes to the dead letters", async ({ record, reason, asked }) => {
  await using rig = await startRig();
  rig.hook.answer({ status: 503 });
  await rig.leave(record);
  await rig.start();
  expect(await rig.waitEvent("dead")).toMatchObject({ data: { notification: "left", reason } });
  await rig.waitIdle();
  expect(await rig.deadLetters()).toMatchObject([{ reason, record: { id: "left" } }]);
  expect(rig.hook.received).toHaveLength(asked);
});

test("a receiver that hangs delays no other one, and is handed back at the end", async () => {
  await using rig = await startRig();
  await using other = await startReceiver();
  rig.hook.answer({ instead: "hang" });
  const notifier = await rig.start({
    notifier: { receivers: [hookReceiver(rig.hook), hookReceiver(other, { name: "other" })] },
  });
  await rig.tell("failed", "web");
  await rig.hook.waitFor(() => true);
  await other.waitFor(() => true);
  expect(await rig.waitEvent("sent")).toMatchObject({ data: { receiver: "other" } });
  expect(await notifier.kill("SIGTERM")).toBe(0);
  const left = (await rig.records()).find((one) => one.type === "notification");
  expect(left).toMatchObject({ receiver: "hook", state: "waiting" });
  rig.hook.answer({});
  await rig.start();
  await rig.waitIdle();
  const ids = new Set(rig.hook.received.map((one) => one.headers["webhook-id"]));
  expect(ids.size).toBe(1);
});

test("what waits for a receiver that was removed goes to the dead letters", async () => {
  await using rig = await startRig();
  rig.hook.answer({ status: 503 });
  const first = await rig.start();
  await rig.tell("failed", "web");
  await rig.hook.waitFor(() => true);
  await first.kill("SIGKILL");
  await rig.start({ notifier: { receivers: [hookReceiver(rig.hook, { name: "new" })] } });
  await waitFor(async () => (await rig.deadLetters()).length === 1, { message: "a dead letter" });
  expect(await rig.deadLetters()).toMatchObject([
    { reason: "receiver-removed", record: { receiver: "hook" } },
  ]);
});

test("a receiver at an address that is not allowed stops the start and says so", async () => {
  await using rig = await startRig();
  const notifier = await rig.start({
    notifier: {
      receivers: [
        hookReceiver(rig.hook, { security: { allowHttp: true, allowedPorts: [rig.hook.port] } }),
      ],
    },
    wait: false,
  });
  expect(await notifier.exited).toBe(1);
  expect(JSON.stringify(notifier.logs)).toContain("security.allowCidrs");
});
