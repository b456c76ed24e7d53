import { expect, test } from "vitest";
import { waitFor } from "@rollcast/testkit/wait";
import { startApi } from "./api-client.ts";
import type { Api } from "./api-client.ts";
import { hookReceiver, startNotifierHarness } from "./harness.ts";
import { receivedIds } from "./received.ts";

type Letter = {
  id: string;
  stage: string;
  reason: string;
  notification?: { id: string; receiver: string; events: number; attempts: number };
};

async function list(api: Api, query = ""): Promise<Letter[]> {
  const { status, body } = await api.call("GET", `/v1/dead-letters${query}`);
  expect(status).toBe(200);
  return (body as { items: Letter[] }).items;
}

async function firstLetter(api: Api): Promise<Letter> {
  return waitFor(async () => (await list(api))[0], { message: "a dead letter" });
}

test("a dead letter is listed, shown and redriven under its id, and is gone afterwards", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 404 });
  const api = await startApi(harness);
  const event = await harness.publishEvent("failed", "web");
  const letter = await firstLetter(api);
  const webhookId = harness.hook.received[0]?.headers["webhook-id"];
  expect(letter).toMatchObject({
    stage: "notifier",
    reason: "NotFound",
    message: "the receiver answered 404: ok",
    subject: "rollcast.v1.test.notification.dead.hook",
    notification: { id: webhookId, receiver: "hook", events: 1, attempts: 1 },
  });
  expect(await list(api, "?receiver=hook&stage=notifier&reason=not-found")).toHaveLength(1);
  for (const other of ["receiver=other", "stage=restarter-test", "reason=gone"]) {
    expect(await list(api, `?${other}`)).toEqual([]);
  }
  const shown = await api.call("GET", `/v1/dead-letters/${letter.id}`);
  expect(shown).toMatchObject({
    status: 200,
    body: { ...letter, attempts: [{ reason: "NotFound" }], events: [{ id: event }] },
  });
  harness.hook.answer({});
  const redriven = await api.call("POST", `/v1/dead-letters/${letter.id}/redrive`);
  expect(redriven).toEqual({ status: 202, body: { notification: webhookId, receiver: "hook" } });
  expect(await harness.waitEvent("sent")).toMatchObject({ data: { notification: webhookId } });
  await harness.waitIdle();
  expect(harness.hook.received.map((received) => received.headers["webhook-id"])).toEqual([
    webhookId,
    webhookId,
  ]);
  expect(harness.hook.received[1]?.body).toBe(harness.hook.received[0]?.body);
  expect(await list(api)).toEqual([]);
  expect((await api.call("POST", `/v1/dead-letters/${letter.id}/redrive`)).status).toBe(404);
});

test("a redriven message that fails at once is a dead letter again", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 404 });
  const api = await startApi(harness);
  await harness.publishEvent("failed", "web");
  for (let i = 1; i <= 3; i++) {
    const { id } = await firstLetter(api);
    expect((await api.call("POST", `/v1/dead-letters/${id}/redrive`)).status).toBe(202);
    const again = () => harness.hook.received.length === i + 1;
    await waitFor(again, { message: "another attempt" });
    await harness.waitIdle();
  }
  expect(await list(api)).toHaveLength(1);
  expect(
    new Set(harness.hook.received.map((received) => received.headers["webhook-id"])).size,
  ).toBe(1);
});

test("killed between redriving and removing the letter, both exist, under one id", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 404 });
  const first = await startApi(harness, {
    env: { ROLLCAST_TEST_KILL_AT: "letter-requeued" },
  });
  const event = await harness.publishEvent("failed", "web");
  const { id } = await firstLetter(first);
  harness.hook.answer({});
  await expect(first.call("POST", `/v1/dead-letters/${id}/redrive`)).rejects.toThrow(
    "fetch failed",
  );
  expect(await first.service.exited).toBe("SIGKILL");
  const second = await startApi(harness);
  await harness.waitEvent("sent");
  await harness.waitIdle();
  expect(receivedIds(harness.hook.received)).toEqual(new Set([event]));
  expect((await list(second)).map((received) => received.id)).toEqual([id]);
  expect((await second.call("POST", `/v1/dead-letters/${id}/redrive`)).status).toBe(202);
  await waitFor(() => harness.hook.received.length === 3, { message: "the same message again" });
  await harness.waitIdle();
  expect(await list(second)).toEqual([]);
  expect(
    new Set(harness.hook.received.map((received) => received.headers["webhook-id"])).size,
  ).toBe(1);
});

test("a letter that holds no notification is shown and dropped, and cannot be redriven", async () => {
  await using harness = await startNotifierHarness();
  const api = await startApi(harness);
  await harness.publishRaw(
    "rollcast.v1.test.rollout.failed.deployment.shop.web",
    "no event at all",
  );
  const letter = await firstLetter(api);
  expect(letter).toMatchObject({ stage: "notifier-test", reason: "Malformed" });
  expect(letter.notification).toBeUndefined();
  const path = `/v1/dead-letters/${letter.id}`;
  expect(await api.call("GET", path)).toMatchObject({ body: { body: "no event at all" } });
  expect(await api.call("POST", `${path}/redrive`)).toMatchObject({
    status: 422,
    body: { code: "not-a-message" },
  });
  expect(await api.call("DELETE", path)).toEqual({ status: 204, body: undefined });
  expect((await api.call("DELETE", path)).status).toBe(404);
  expect(await list(api)).toEqual([]);
});

test("letters are paginated; those of another cluster are invisible", async () => {
  await using harness = await startNotifierHarness();
  const api = await startApi(harness);
  for (let i = 0; i < 7; i++) {
    const cluster = i === 3 ? "other" : "test";
    await harness.putDeadLetter({
      stage: "restarter-x",
      reason: "Malformed",
      message: "",
      id: `letter-${i}`,
      subject: `rollcast.v1.${cluster}.source.changed.configmap.shop.web`,
      body: Buffer.from(String(i)),
    });
  }
  const ids: string[] = [];
  let cursor = "";
  for (let pages = 1; ; pages++) {
    const { body } = await api.call("GET", `/v1/dead-letters?limit=2${cursor}`);
    const { items, next } = body as { items: Letter[]; next?: string };
    expect(items.length).toBeLessThanOrEqual(2);
    ids.push(...items.map(({ id }) => id));
    if (next === undefined) break;
    cursor = `&cursor=${next}`;
    expect(pages).toBeLessThan(10);
  }
  expect(ids).toEqual(["1", "2", "3", "5", "6", "7"]);
  for (const [method, path] of [
    ["GET", "4"],
    ["DELETE", "4"],
    ["POST", "4/redrive"],
  ] as const) {
    expect((await api.call(method, `/v1/dead-letters/${path}`)).status).toBe(404);
  }
  expect((await api.call("GET", "/v1/dead-letters/x")).status).toBe(400);
});

test("a message to a removed receiver stays a dead letter until the receiver is configured again", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 404 });
  const first = await startApi(harness);
  await harness.publishEvent("failed", "web");
  await firstLetter(first);
  await first.service.kill("SIGTERM");
  const receivers = [hookReceiver(harness.hook, { name: "new" })];
  const second = await startApi(harness, { notifier: { receivers } });
  const { id } = await firstLetter(second);
  expect(await second.call("POST", `/v1/dead-letters/${id}/redrive`)).toMatchObject({
    status: 409,
    body: { code: "no-such-receiver" },
  });
  expect(await list(second)).toHaveLength(1);
});
