import { RollcastEvent, eventOutcome, stableId } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import { provision } from "@rollcast/nats/provision";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/streams";
import { publish, publishDeadLetter } from "@rollcast/nats/publish";
import { rolloutSubject } from "@rollcast/shared/subjects";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer } from "@rollcast/testkit/nats";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import { startRedis } from "@rollcast/testkit/redis-server";
import type { RedisServer } from "@rollcast/testkit/redis-server";
import { startService } from "@rollcast/testkit/services";
import type { ServiceLogLine, Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { NotifyRecord } from "../src/model/notify-record.ts";
import type { NotificationRecord } from "../src/model/notification-record.ts";
import { notificationKey } from "../src/model/record-keys.ts";
import type { DeadLetter } from "./streams.ts";
import { readAll, readDeadLetters } from "./streams.ts";

/** Notifiers on real servers, and events as the restarter publishes them. */
export type Harness = AsyncDisposable & {
  readonly nats: NatsServer;
  readonly redis: RedisServer;
  readonly hook: TestReceiver;
  readonly notifiers: readonly Service[];
  start(options?: StartOptions): Promise<Service>;
  /** A rollcast.yaml with this `notifier:` section. */
  config(notifier?: object): object;
  publishEvent(outcome: RolloutOutcome, name: string, data?: Partial<RolloutData>): Promise<string>;
  /** Publishes bytes that need not be an event. */
  publishRaw(subject: string, body: string): Promise<void>;
  /** Publishes a dead letter. */
  putDeadLetter(letter: Parameters<typeof publishDeadLetter>[1]): Promise<void>;
  /**
   * Waits until every event is acknowledged; one whose acknowledgement was lost with its notifier
   * is redelivered after half a minute.
   */
  waitAcknowledged(): Promise<void>;
  /** Waits until no record waits. */
  waitIdle(timeout?: number): Promise<void>;
  records(): Promise<NotifyRecord[]>;
  /** Writes a notification's record as an earlier notifier would have left it. */
  writeRecord(record: NotificationRecord): Promise<void>;
  events(): Promise<RollcastEvent[]>;
  waitEvent(outcome: string): Promise<RollcastEvent>;
  deadLetters(): Promise<DeadLetter[]>;
  /** The raw dead letters of the stream, of any stage. */
  letters(): Promise<{ id: string; headers: string; body: string }[]>;
  logs(): ServiceLogLine[];
  /** The metrics of the newest notifier. */
  metrics(): Promise<string>;
};

export type StartOptions = {
  notifier?: object;
  env?: Readonly<Record<string, string>>;
  wait?: boolean;
};

export const SECRET = `whsec_${Buffer.from("a signing secret of the tests, 32 b").toString("base64")}`;

const CLUSTER = "test";

/** The configuration of a webhook receiver that may send to a local server. */
export function hookReceiver(hook: TestReceiver, more: object = {}) {
  return {
    name: "hook",
    webhook: {
      url: `${hook.url}/hook?token=query-is-secret`,
      signing: { secretsFrom: [{ env: "TEST_SIGNING_SECRET" }] },
    },
    security: { allowHttp: true, allowCidrs: ["127.0.0.0/8"], allowedPorts: [hook.port] },
    ...more,
  };
}

export function dataOf(name: string, more: Partial<RolloutData> = {}): RolloutData {
  return {
    workload: { kind: "Deployment", namespace: "shop", name, uid: `uid-${name}` },
    rollout: stableId("rollout", name),
    queue: "default",
    cause: {
      kind: "ConfigMap",
      namespace: "shop",
      name: "web-config",
      changedKeys: { added: [], changed: ["LOG_LEVEL"], removed: [] },
      changedBy: { manager: "kubectl-edit" },
      changedAt: "2026-11-23T03:00:00.000Z",
    },
    sources: 1,
    durationMs: 12_000,
    ...more,
  };
}

export async function startHarness(): Promise<Harness> {
  await using undo = new AsyncDisposableStack();
  const nats = undo.use(await startNats());
  const redis = undo.use(await startRedis());
  const hook = undo.use(await startReceiver());
  const notifiers: Service[] = [];
  const logger = createLogger("rig", "silent");
  const connection = undo.use(await connectNats({ url: nats.url, name: "rig", logger }));
  undo.defer(async () => {
    await Promise.all(notifiers.map((record) => record[Symbol.asyncDispose]()));
  });
  await provision(connection, 1);
  const kv = await openKv(connection, "notify", NotifyRecord);
  const records = async () => {
    const records: NotifyRecord[] = [];
    for await (const entry of kv.snapshot()) records.push(entry.value);
    return records;
  };
  const events = () =>
    readAll(connection, EVENT_STREAM, "rollcast.v1.>", (msg) => RollcastEvent.parse(msg.json()));
  const kept = undo.move();
  let count = 0;
  let lastSequence = 0;
  const config = (notifier: object = {}) => ({
    apiVersion: "rollcast.dev/v1",
    kind: "Config",
    cluster: CLUSTER,
    notifier: {
      receivers: [hookReceiver(hook)],
      route: { groupWait: "300ms", groupInterval: "300ms" },
      ...notifier,
    },
    log: { level: "debug" },
  });
  return {
    config,
    nats,
    redis,
    hook,
    notifiers,
    async start(options = {}) {
      const service = await startService("notifier", {
        config: config(options.notifier),
        natsUrl: nats.url,
        redisUrl: redis.url,
        env: { TEST_SIGNING_SECRET: SECRET, ...options.env },
      });
      notifiers.push(service);
      if (options.wait !== false) await service.waitReady();
      return service;
    },
    async publishEvent(outcome, name, more) {
      const data = dataOf(name, more);
      const id = stableId("event", name, outcome, String(count++));
      const parts = { id, cluster: CLUSTER, service: "restarter", time: Date.now() };
      const subject = rolloutSubject(CLUSTER, outcome, data.workload);
      const signal = AbortSignal.timeout(60_000);
      const event = rolloutEvent(parts, outcome, data);
      const { seq } = await publish(connection, subject, event, signal);
      lastSequence = Math.max(lastSequence, seq);
      return id;
    },
    async publishRaw(subject, body) {
      await connection.js.publish(subject, body);
    },
    async putDeadLetter(letter) {
      await publishDeadLetter(connection, letter, AbortSignal.timeout(60_000));
    },
    records,
    async waitAcknowledged() {
      await waitFor(
        async () => {
          const info = await connection.jsm.consumers.info(EVENT_STREAM, `notifier-${CLUSTER}`);
          // A consumer learns of a message later than its publisher: with nothing pending it may
          // not know the last one yet.
          const heard = info.delivered.stream_seq >= lastSequence;
          return heard && info.num_pending === 0 && info.num_ack_pending === 0;
        },
        { timeout: 60_000, message: "every event to be acknowledged" },
      );
    },
    waitIdle: (timeout = 30_000) =>
      waitFor(
        async () =>
          (await records()).every(
            (record) =>
              record.type !== "notification" &&
              (record.type !== "group" || record.events.length === 0),
          ),
        { timeout, message: "every notification to be delivered" },
      ).then(() => undefined),
    async writeRecord(record) {
      await kv.create(notificationKey(CLUSTER, record.id), record);
    },
    events,
    waitEvent: (outcome) =>
      waitFor(
        async () =>
          (await events()).find((record) => eventOutcome(record.type).outcome === outcome),
        {
          message: `the event ${outcome}`,
        },
      ),
    deadLetters: () => readDeadLetters(connection),
    letters: () =>
      readAll(connection, DEAD_LETTER_STREAM, ">", (msg) => ({
        id: String(msg.seq),
        headers: String(msg.headers),
        body: new TextDecoder().decode(msg.data),
      })),
    metrics: async () => (await fetch(`${notifiers.at(-1)?.http()}/metrics`)).text(),
    logs: () => notifiers.flatMap((record) => record.logs),
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
