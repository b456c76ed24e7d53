import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { startReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import type { NotificationRecord } from "../src/model/notification-record.ts";
import { SIGNING_SECRET } from "@rollcast/testkit/harness/base-config";
import { hookReceiver, startNotifierHarness } from "./harness.ts";
import { bodyOf, receivedIds } from "./received.ts";

test("a failed rollout is delivered, signed, with the facts for people and the event itself", async () => {
  await using harness = await startNotifierHarness();
  const notifier = await harness.start();
  const id = await harness.publishEvent("failed", "web", { reason: "ProgressDeadlineExceeded" });
  const received = await harness.hook.waitFor(() => true);
  const headers = received.headers as Record<string, string>;
  expect(new Webhook(SIGNING_SECRET).verify(received.body, headers)).toBeTruthy();
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
  expect(await harness.waitEvent("sent")).toMatchObject({
    subject: "hook",
    data: { receiver: "hook", notification: body.data.id, events: [id], attempts: 1 },
  });
  await harness.waitIdle();
  expect(harness.hook.received).toHaveLength(1);
  expect(await notifier.kill("SIGTERM")).toBe(0);
});

test("successes of one namespace are one message; uninteresting outcomes are none", async () => {
  await using harness = await startNotifierHarness();
  await harness.start({ notifier: { route: { groupWait: "2s", groupInterval: "2s" } } });
  for (const quiet of ["planned", "started", "superseded", "cancelled", "deferred"]) {
    await harness.publishEvent(quiet as "planned", "web");
  }
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, i) => harness.publishEvent("succeeded", `web-${i}`)),
  );
  await harness.hook.waitFor(() => true);
  await harness.waitIdle();
  expect(harness.hook.received).toHaveLength(1);
  expect(receivedIds(harness.hook.received)).toEqual(new Set(ids));
  const [received] = harness.hook.received;
  expect(received === undefined ? "" : bodyOf(received).data.title).toContain("20 workloads");
});

test("format cloudevents sends the events as a batch", async () => {
  await using harness = await startNotifierHarness();
  const webhook = { url: `${harness.hook.url}/ce`, format: "cloudevents" };
  await harness.start({ notifier: { receivers: [hookReceiver(harness.hook, { webhook })] } });
  const id = await harness.publishEvent("stalled", "web");
  const received = await harness.hook.waitFor(() => true);
  expect(received.headers["content-type"]).toContain("application/cloudevents-batch+json");
  expect(received.headers["webhook-signature"]).toBeUndefined();
  expect(JSON.parse(received.body)).toMatchObject([{ id, specversion: "1.0" }]);
});

test("429 with Retry-After delays the message under the same id, without using an attempt", async () => {
  await using harness = await startNotifierHarness();
  let first = true;
  harness.hook.answer(() => {
    const refuse = first;
    first = false;
    return refuse ? { status: 429, headers: { "retry-after": "2" } } : {};
  });
  await harness.start();
  await harness.publishEvent("failed", "web");
  await harness.waitEvent("sent");
  const [refused, retried, ...rest] = harness.hook.received;
  expect(rest).toEqual([]);
  expect(retried?.headers["webhook-id"]).toBe(refused?.headers["webhook-id"]);
  expect((retried?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(1_900);
  expect(await harness.waitEvent("sent")).toMatchObject({ data: { attempts: 1 } });
});

test.each([
  { name: "503", answer: { status: 503 } },
  { name: "a connection reset", answer: { instead: "reset" as const } },
])("$name is retried under the same id", async ({ answer }) => {
  await using harness = await startNotifierHarness();
  let first = true;
  harness.hook.answer(() => {
    const refuse = first;
    first = false;
    return refuse ? answer : {};
  });
  await harness.start();
  await harness.publishEvent("failed", "web");
  expect(await harness.waitEvent("sent")).toMatchObject({ data: { attempts: 2 } });
  const ids = new Set(harness.hook.received.map((request) => request.headers["webhook-id"]));
  expect(ids.size).toBe(1);
  expect(harness.hook.received).toHaveLength(2);
});

test.each([
  { status: 302, reason: "Redirect" },
  { status: 400, reason: "BadRequest" },
  { status: 410, reason: "Gone" },
  { status: 413, reason: "TooLarge" },
])("$status makes the whole message a dead letter at once", async ({ status, reason }) => {
  await using harness = await startNotifierHarness();
  const elsewhere = `${harness.hook.url}/elsewhere?token=query-is-secret`;
  harness.hook.answer({ status, headers: { location: elsewhere }, body: `see ${elsewhere}` });
  await harness.start();
  const id = await harness.publishEvent("failed", "web");
  expect(await harness.waitEvent("dead")).toMatchObject({ data: { receiver: "hook", reason } });
  await harness.waitIdle();
  expect(harness.hook.received).toHaveLength(1);
  const letters = await harness.deadLetters();
  expect(letters).toHaveLength(1);
  expect(letters[0]).toMatchObject({ reason, record: { receiver: "hook", reason } });
  expect(letters[0]?.record.attempts).toHaveLength(1);
  expect(letters[0]?.record.events.map((event) => event.id)).toEqual([id]);
  const output = JSON.stringify([letters, await harness.events(), harness.logs()]);
  expect(output).not.toContain("query-is-secret");
  expect(output).not.toContain(SIGNING_SECRET);
});

test("while a receiver asks for a pause, nothing else is sent to it either", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer(() =>
    harness.hook.received.length === 1 ? { status: 429, headers: { "retry-after": "3" } } : {},
  );
  await harness.start({ notifier: { route: { groupBy: ["workload"], groupWait: "0" } } });
  await harness.publishEvent("failed", "web");
  const refused = await harness.hook.waitFor(() => true);
  await waitFor(async () => (await harness.metrics()).includes('reason="throttled"'), {
    message: "the pause to be counted",
  });
  for (const name of ["api", "db", "cache"]) await harness.publishEvent("failed", name);
  await harness.waitAcknowledged();
  await harness.waitIdle();
  expect(harness.hook.received).toHaveLength(5);
  for (const request of harness.hook.received.slice(1)) {
    expect(request.at - refused.at).toBeGreaterThanOrEqual(2_800);
  }
});

test("a receiver's rate limit is kept", async () => {
  await using harness = await startNotifierHarness();
  await harness.start({
    notifier: {
      receivers: [hookReceiver(harness.hook, { rateLimit: { max: 2, per: "1s" } })],
      route: { groupBy: ["workload"], groupWait: "0" },
    },
  });
  for (let i = 0; i < 8; i++) await harness.publishEvent("failed", `web-${i}`);
  await harness.waitAcknowledged();
  await harness.waitIdle();
  const times = harness.hook.received.map(({ at }) => at).toSorted((a, b) => a - b);
  expect(times).toHaveLength(8);
  // Eight at two a second take four windows, so three whole ones lie between the first and the
  // last.
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
    attempts: [],
    state: "waiting",
    ...more,
  };
}

test.each([
  {
    name: "a message older than a day",
    record: leftRecord({ createdAt: Date.now() - 25 * HOUR }),
    reason: "Expired",
    attempts: 0,
  },
  {
    name: "a message without attempts left",
    record: leftRecord({
      attempts: Array.from({ length: 10 }, () => ({ at: 0, reason: "Http503", message: "" })),
    }),
    reason: "Http503",
    attempts: 1,
  },
  {
    name: "a message that is dead but was not published yet",
    record: leftRecord({ state: "dead", reason: "Gone", message: "" }),
    reason: "Gone",
    attempts: 0,
  },
])("$name becomes a dead letter", async ({ record, reason, attempts }) => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 503 });
  await harness.writeRecord(record);
  await harness.start();
  expect(await harness.waitEvent("dead")).toMatchObject({ data: { notification: "left", reason } });
  await harness.waitIdle();
  expect(await harness.deadLetters()).toMatchObject([{ reason, record: { id: "left" } }]);
  expect(harness.hook.received).toHaveLength(attempts);
});

test("a receiver that hangs delays no other, and its message is requeued on shutdown", async () => {
  await using harness = await startNotifierHarness();
  await using other = await startReceiver();
  harness.hook.answer({ instead: "hang" });
  const notifier = await harness.start({
    notifier: { receivers: [hookReceiver(harness.hook), hookReceiver(other, { name: "other" })] },
  });
  await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(() => true);
  await other.waitFor(() => true);
  expect(await harness.waitEvent("sent")).toMatchObject({ data: { receiver: "other" } });
  expect(await notifier.kill("SIGTERM")).toBe(0);
  const left = (await harness.records()).find((record) => record.type === "notification");
  expect(left).toMatchObject({ receiver: "hook", state: "waiting" });
  harness.hook.answer({});
  await harness.start();
  await harness.waitIdle();
  const ids = new Set(harness.hook.received.map((request) => request.headers["webhook-id"]));
  expect(ids.size).toBe(1);
});

test("messages that wait for a removed receiver become dead letters", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 503 });
  const first = await harness.start();
  await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(() => true);
  await first.kill("SIGKILL");
  await harness.start({ notifier: { receivers: [hookReceiver(harness.hook, { name: "new" })] } });
  await waitFor(async () => (await harness.deadLetters()).length === 1, {
    message: "a dead letter",
  });
  expect(await harness.deadLetters()).toMatchObject([
    { reason: "ReceiverRemoved", record: { receiver: "hook" } },
  ]);
});

test("a receiver at an address that is not allowed stops the start and says so", async () => {
  await using harness = await startNotifierHarness();
  const notifier = await harness.start({
    notifier: {
      receivers: [
        hookReceiver(harness.hook, {
          security: { allowHttp: true, allowedPorts: [harness.hook.port] },
        }),
      ],
    },
    wait: false,
  });
  expect(await notifier.exited).toBe(1);
  expect(JSON.stringify(notifier.logs)).toContain("security.allowCidrs");
});
