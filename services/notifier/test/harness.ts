import { stableId } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { readEvents } from "@rollcast/nats/history";
import { openKv } from "@rollcast/nats/kv";
import { provision } from "@rollcast/nats/provision";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/streams";
import { publish, publishDeadLetter } from "@rollcast/nats/publish";
import { rolloutSubject } from "@rollcast/shared/subjects";
import { CLUSTER, baseConfig, webhookReceiver } from "@rollcast/testkit/harness/base-config";
import { startHarness } from "@rollcast/testkit/harness/harness";
import type { Extended, Harness } from "@rollcast/testkit/harness/harness-types";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { notificationKey } from "../src/group/group.ts";
import { NotifyRecord } from "../src/model/notify-record.ts";
import type { NotificationRecord } from "../src/model/notification-record.ts";
import type { DeadLetter } from "./streams.ts";
import { readAll, readDeadLetters } from "./streams.ts";

/** Notifiers on real servers, and events as the restarter publishes them. */
export type NotifierHarness = Extended<Nats, NotifierHandles>;

type NotifierHandles = {
  /** What receives. */
  readonly hook: TestReceiver;
  /** Starts a notifier. */
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
  deadLetters(): Promise<DeadLetter[]>;
  /** The raw dead letters of the stream, of any stage. */
  letters(): Promise<{ id: string; headers: string; body: string }[]>;
  /** The metrics of the newest notifier. */
  metrics(): Promise<string>;
};

export type StartOptions = {
  notifier?: object;
  env?: Readonly<Record<string, string>>;
  wait?: boolean;
};

/** The configuration of a webhook receiver that may send to a local server. */
export function hookReceiver(hook: TestReceiver, more: object = {}) {
  return { ...webhookReceiver(hook, "/hook?token=query-is-secret"), ...more };
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

const logger = createLogger("harness", "silent");

async function openHandles(harness: Harness<Nats>): Promise<NotifierHandles> {
  const { connection, receiver: hook, services, start } = harness;
  const kv = await openKv(connection, "notify", NotifyRecord);
  const records = async () => {
    const records: NotifyRecord[] = [];
    for await (const entry of kv.snapshot()) records.push(entry.value);
    return records;
  };
  let count = 0;
  let lastSequence = 0;
  const config = (notifier: object = {}) => ({
    ...baseConfig(),
    notifier: {
      receivers: [hookReceiver(hook)],
      route: { groupWait: "300ms", groupInterval: "300ms" },
      ...notifier,
    },
  });
  return {
    hook,
    config,
    start: ({ notifier, ...options } = {}) =>
      start("notifier", { ...options, config: config(notifier) }),
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
    async waitIdle(timeout = 30_000) {
      // Records are read one after the other: in one look the notification may not be there yet,
      // and the group be empty already.
      let looks = 0;
      await waitFor(
        async () => {
          const isIdle = (await records()).every(
            (record) =>
              record.type !== "notification" &&
              (record.type !== "group" || record.events.length === 0),
          );
          looks = isIdle ? looks + 1 : 0;
          return looks === 2;
        },
        { timeout, message: "every notification to be delivered" },
      );
    },
    async writeRecord(record) {
      await kv.create(notificationKey(CLUSTER, record.id), record);
    },
    deadLetters: () => readDeadLetters(connection),
    letters: () =>
      readAll(connection, DEAD_LETTER_STREAM, ">", (msg) => ({
        id: String(msg.seq),
        headers: String(msg.headers),
        body: new TextDecoder().decode(msg.data),
      })),
    metrics: async () => (await fetch(`${services.at(-1)?.http()}/metrics`)).text(),
  };
}

export function startNotifierHarness(): Promise<NotifierHarness> {
  const client = {
    connect: (to: { url: string }) => connectNats({ ...to, name: "harness", logger }),
    provision: (nats: Nats) => provision(nats, 1),
    readEvents,
  };
  return startHarness({ nats: {}, redis: {}, receiver: true, client }, openHandles);
}
