import { localSecurity } from "@rollcast/testkit/harness/base-config";
import type { Nats } from "@rollcast/nats/connect";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import type { NotifyRecord } from "../src/model/notify-record.ts";
import { startBot, startSlack } from "./fake-slack.ts";
import { hookReceiver, startNotifierHarness } from "./harness.ts";
import { bodyOf, receivedIds } from "./received.ts";
import type { NotifierHarness } from "./harness.ts";

const NOVELTY = { v: 2, novelty: ["of", "tomorrow"] };

/** The bucket `notify` as another version would see it. */
type Bucket = AsyncDisposable & {
  /**
   * Writes the record of this key anew, as a newer version would; what is there else, of the type
   * and with these parts.
   */
  renew(key: string, more?: object): Promise<void>;
  read(key: string): Promise<Record<string, unknown>>;
  /** The key of the first record that is so. */
  keyOf(is: (record: NotifyRecord) => boolean): Promise<string>;
};

async function keys(nats: Nats): Promise<string[]> {
  const { state } = await nats.jsm.streams.info("KV_notify", { subjects_filter: "$KV.notify.>" });
  return Object.keys(state.subjects ?? {}).map((subject) => subject.replace("$KV.notify.", ""));
}

async function openBucket(harness: NotifierHarness): Promise<Bucket> {
  const nats = await harness.connect();
  const read = async (key: string) => {
    const query = { last_by_subj: `$KV.notify.${key}` };
    const stored = await nats.jsm.streams.getMessage("KV_notify", query).catch(() => null);
    return (stored?.json() ?? {}) as Record<string, unknown>;
  };
  return {
    read,
    async renew(key, more = {}) {
      const record = { ...(await read(key)), ...more, ...NOVELTY };
      await nats.js.publish(`$KV.notify.${key}`, JSON.stringify(record));
    },
    async keyOf(is) {
      for (const key of await keys(nats)) {
        if (is((await read(key)) as NotifyRecord)) return key;
      }
      throw new Error("no such record");
    },
    [Symbol.asyncDispose]: () => nats[Symbol.asyncDispose](),
  };
}

async function expectLeftAlone(
  harness: NotifierHarness,
  bucket: Bucket,
  key: string,
): Promise<void> {
  const named = () =>
    harness.logs().some((line) => line.level === "error" && JSON.stringify(line).includes(key));
  await waitFor(named, { message: `an error that names ${key}` });
  expect(await bucket.read(key)).toMatchObject(NOVELTY);
}

test("a receiver list that a newer version wrote is kept, and the notifier works", async () => {
  await using harness = await startNotifierHarness();
  await using bucket = await openBucket(harness);
  await bucket.renew("test.receivers", { type: "receivers", names: { of: "another form" } });

  await harness.start();
  const id = await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(() => true);

  expect(receivedIds(harness.hook.received)).toEqual(new Set([id]));
  await expectLeftAlone(harness, bucket, "test.receivers");
});

test("a message that a newer version wrote is kept, and the others are sent", async () => {
  await using harness = await startNotifierHarness();
  await using bucket = await openBucket(harness);
  await bucket.renew("test.message.tomorrows", { type: "notification", receiver: "hook" });

  await harness.start();
  const id = await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(() => true);
  await harness.waitIdle();

  expect(receivedIds(harness.hook.received)).toEqual(new Set([id]));
  await expectLeftAlone(harness, bucket, "test.message.tomorrows");
});

test("a group that a newer version wrote is kept, and what comes after is sent all the same", async () => {
  await using harness = await startNotifierHarness();
  await using bucket = await openBucket(harness);
  await using second = await startReceiver();
  const receivers = [hookReceiver(harness.hook), hookReceiver(second, { name: "second" })];
  const first = await harness.start({ notifier: { receivers } });
  await harness.publishEvent("failed", "web");
  await Promise.all([harness.hook.waitFor(() => true), second.waitFor(() => true)]);
  await harness.waitIdle();
  await first.kill();
  const key = await bucket.keyOf((item) => item.type === "group" && item.receiver === "hook");
  await bucket.renew(key);

  await harness.start({ notifier: { receivers } });
  const id = await harness.publishEvent("failed", "api");
  for (const receiver of [harness.hook, second]) {
    await receiver.waitFor((item) => bodyOf(item).data.events.some((event) => event.id === id));
  }
  await harness.waitIdle();

  expect(await harness.letters()).toEqual([]);
  expect(harness.hook.received).toHaveLength(2);
  await expectLeftAlone(harness, bucket, key);
});

function alertmanager(manager: TestReceiver) {
  return {
    name: "alerts",
    alertmanager: { urls: [manager.url] },
    security: localSecurity(manager),
  };
}

test("an alert that a newer version wrote is kept, and fires as those of other workloads do", async () => {
  await using harness = await startNotifierHarness();
  await using bucket = await openBucket(harness);
  const receivers = [alertmanager(harness.hook)];
  const first = await harness.start({ notifier: { receivers } });
  await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(({ body }) => body.includes('"web"'));
  await harness.waitIdle();
  await first.kill();
  const key = await bucket.keyOf((item) => item.type === "alert");
  await bucket.renew(key);

  // One message of both.
  await harness.publishEvent("failed", "web");
  await harness.publishEvent("failed", "api");
  await harness.start({ notifier: { receivers } });

  const firing = (name: string) =>
    harness.hook.received.filter(({ body }) => body.includes(`"${name}"`)).length;
  await waitFor(() => firing("api") > 0 && firing("web") > 1, { message: "both alerts" });
  await harness.waitIdle();
  await expectLeftAlone(harness, bucket, key);
});

test("a message log that a newer version wrote is kept, and the message waits", async () => {
  await using harness = await startNotifierHarness();
  await using bucket = await openBucket(harness);
  await using slack = await startSlack();
  const first = await startBot(harness, slack);
  await harness.publishEvent("started", "web");
  await harness.waitAcknowledged();
  await harness.waitIdle();
  await first.kill();
  const key = await bucket.keyOf((item) => item.type === "message-log");
  await bucket.renew(key);

  const second = await startBot(harness, slack);
  const id = await harness.publishEvent("failed", "web");

  const put = await second.waitLog(({ msg }) => msg === "notification delayed, will retry");
  expect(put).toMatchObject({ reason: "Unreadable", message: expect.stringContaining(key) });
  expect(slack.messages).toHaveLength(1);
  const waiting = (await harness.records()).filter((item) => item.type === "notification");
  expect(waiting.flatMap(({ events }) => events.map((event) => event.id))).toEqual([id]);
  expect(await bucket.read(key)).toMatchObject(NOVELTY);
});
