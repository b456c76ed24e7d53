import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, DeliverPolicy, JetStreamApiError } from "@nats-io/jetstream";
import type { Consumer, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import type { z } from "zod";
import { backoffDelay } from "@rollcast/async/backoff";
import { createKeyedPool } from "@rollcast/async/keyed-pool";
import type { Nats } from "./connect.ts";
import { handleMessage } from "./handle-message.ts";
import { EVENT_STREAM } from "./streams.ts";

export type ConsumeOptions<T> = {
  /** Name of the durable consumer, shared by all replicas of a service. */
  durable: string;
  /** One subject filter (`rollcast.v1.prod.source.>`): permissions enforce one, not several. */
  filter: string;
  schema: z.ZodType<T>;
  /**
   * Handles one event. Returns: acknowledged. {@link RetryLaterError}: again after its delay, or
   * later each time, up to ten seconds.
   * {@link TerminalError}: dead letters. Else: again, with backoff.
   */
  handle: (event: T, signal: AbortSignal) => Promise<void>;
  /** Events handled at once; default 16. */
  concurrency?: number;
  /**
   * Where a consumer begins that is not there yet: with what comes from now on (unless set
   * otherwise), all there is, or the last so many milliseconds.
   */
  from?: "all" | "new" | { readonly lastMs: number };
};

/**
 * A running consumer. Disposal stops the intake and waits for the events in flight, but not for
 * ever: what does not end is delivered again.
 */
export type Consuming = AsyncDisposable & {
  /** Messages that wait in the stream, for the lag gauge. */
  pending(): Promise<number>;
  /**
   * Milliseconds since the epoch when the server was last heard of on this subscription (a message
   * or a heartbeat), or an event was done with.
   */
  lastHeard(): number;
  /** For how many milliseconds the oldest event in flight has been so; 0 where none is. */
  inFlightMs(): number;
};

/** When a disposal asks the handlers to end, and when it goes on without them. */
const HAND_BACK_MS = 7_000;
const GIVE_UP_MS = 9_000;
const REOPEN = { initial: 200, max: 5_000 };

/**
 * Consumes events of the stream through a durable pull consumer, made where it is missing, until
 * disposal. Survives restarts of the server and the loss of the consumer: a subscription that ends
 * is opened again.
 */
export async function consume<T>(nats: Nats, options: ConsumeOptions<T>): Promise<Consuming> {
  const { durable } = options;
  const concurrency = options.concurrency ?? 16;
  const logFailure = (err: unknown, { subject }: JsMsg) =>
    nats.logger.error({ err, subject }, "event neither acknowledged nor requeued");
  // Every message is its own key.
  const pool = createKeyedPool<JsMsg>(concurrency, logFailure);
  const stop = new AbortController();
  const handBack = new AbortController();
  let consumer = await ensureConsumer(nats, options);
  let messages: ConsumerMessages | undefined;
  let heard = Date.now();
  const hear = () => {
    heard = Date.now();
  };
  /** Subscriptions in a row that ended before they brought an event or a heartbeat. */
  let failures = 0;
  const served = () => {
    failures = 0;
    hear();
  };

  const handle = async (msg: JsMsg) => {
    // It waited to be admitted meanwhile: another replica takes it.
    if (stop.signal.aborted) msg.nak();
    else await handleMessage(nats, options, msg, handBack.signal).finally(hear);
  };
  const followStatus = async (opened: ConsumerMessages) => {
    for await (const { type } of opened.status()) {
      // The others are about what this side does or misses.
      if (type === "heartbeat") served();
      else if (type === "debug" || type === "discard") hear();
    }
  };
  const subscribe = async () => {
    const opened = await consumer.consume({
      // What waits here cannot be taken by another replica, and is delivered again after the time
      // for its acknowledgement.
      max_messages: concurrency,
      idle_heartbeat: 5_000,
      expires: 30_000,
      abort_on_missing_resource: true,
    });
    messages = opened;
    if (stop.signal.aborted) opened.stop();
    followStatus(opened).catch(() => undefined);
    let lost = false;
    const off = nats.onReconnect(() => {
      // The server has forgotten what was asked of it.
      lost = true;
      opened.stop();
    });
    try {
      for await (const msg of opened) {
        served();
        await pool.run(msg, () => handle(msg));
      }
      if (!lost && !stop.signal.aborted) throw new Error("the subscription ended by itself");
    } finally {
      off();
    }
  };
  const pump = async () => {
    while (!stop.signal.aborted) {
      try {
        if (failures > 0)
          await sleep(backoffDelay(REOPEN, failures), undefined, { signal: stop.signal });
        if (messages !== undefined) consumer = await ensureConsumer(nats, options);
        hear();
        await subscribe();
      } catch (err) {
        failures += 1;
        if (!stop.signal.aborted) {
          nats.logger.warn({ err, durable, attempt: failures }, "subscription ended");
        }
      }
    }
  };
  const pumping = pump();
  return {
    pending: async () => {
      const info = await consumer.info(false);
      return info.num_pending + info.num_ack_pending;
    },
    lastHeard: () => heard,
    inFlightMs: pool.oldestMs,
    async [Symbol.asyncDispose]() {
      stop.abort();
      messages?.stop();
      const late = Promise.withResolvers<void>();
      const timers = [
        setTimeout(() => handBack.abort(), HAND_BACK_MS),
        setTimeout(late.resolve, GIVE_UP_MS),
      ];
      await Promise.race([pumping.then(pool.drain), late.promise]);
      for (const timer of timers) clearTimeout(timer);
      const events = pool.size();
      if (events > 0) nats.logger.warn({ durable, events }, "events left to be delivered again");
    },
  };
}

/**
 * How long the events of a replica that was killed wait; those in flight are renewed well within
 * it.
 */
const ACK_WAIT_MS = 15_000;
/** JetStream's answer where the durable exists with other settings. */
const EXISTS_DIFFERENT = 10_148;

function startOf<T>({ from = "new" }: ConsumeOptions<T>) {
  if (from === "all") return { deliver_policy: DeliverPolicy.All };
  if (from === "new") return { deliver_policy: DeliverPolicy.New };
  const time = new Date(Date.now() - from.lastMs).toISOString();
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: time };
}

async function ensureConsumer<T>(nats: Nats, options: ConsumeOptions<T>): Promise<Consumer> {
  const { durable, filter } = options;
  const { consumers } = nats.jsm;
  const settings = {
    filter_subject: filter,
    ack_wait: ACK_WAIT_MS * 1_000_000,
    // What cannot be handled is put into the dead letters by us, with its reason: the server must
    // never give up by itself.
    max_deliver: -1,
    max_ack_pending: 1_000,
  };
  try {
    await consumers.add(EVENT_STREAM, {
      ...settings,
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      ...startOf(options),
    });
  } catch (err) {
    if (!(err instanceof JetStreamApiError && err.code === EXISTS_DIFFERENT)) throw err;
    // Made by another replica, an earlier start or another version: where it begins cannot be
    // changed, and its place in the stream is kept.
    await consumers.update(EVENT_STREAM, durable, settings);
  }
  return nats.js.consumers.get(EVENT_STREAM, durable);
}
