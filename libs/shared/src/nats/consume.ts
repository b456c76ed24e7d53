import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import type { Consumer, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import type { z } from "zod";
import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelay } from "../backoff.ts";
import { RetryLater, TerminalError, isAborted, toError } from "../errors.ts";
import type { Nats } from "./connect.ts";
import { EVENT_STREAM } from "./provision.ts";
import { publishDeadLetter } from "./publish.ts";

export type ConsumeOptions<T> = {
  /** Name of the durable consumer, shared by all replicas of a service. */
  durable: string;
  /** One subject filter (`rollcast.v1.prod.source.>`): one can be enforced by permission, several cannot. */
  filter: string;
  schema: z.ZodType<T>;
  /** Handles one event. Returns: acknowledged. {@link RetryLater}: again after its delay. {@link TerminalError}: dead letters. Else: again, with backoff. */
  handle: (event: T, signal: AbortSignal) => Promise<void>;
  /** Events handled at once; 16 unless told. */
  concurrency?: number;
  /** Where a fresh consumer begins; `new` unless told. */
  from?: "all" | "new";
};

/** A running consumer. Disposal stops the intake and waits for the events in hand. */
export type Consuming = AsyncDisposable & {
  /** Messages that wait in the stream, for the lag gauge. */
  pending(): Promise<number>;
  /** Milliseconds since the epoch when the server was last heard of on this subscription (a message or a heartbeat). */
  lastHeard(): number;
};

const ACK_WAIT_MS = 30_000;
const WORKING_MS = 10_000;
const HAND_BACK_MS = 10_000;

async function ensureConsumer<T>(nats: Nats, options: ConsumeOptions<T>): Promise<Consumer> {
  const { durable, filter } = options;
  await nats.jsm.consumers.add(EVENT_STREAM, {
    durable_name: durable,
    filter_subject: filter,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT_MS * 1_000_000,
    deliver_policy: options.from === "all" ? DeliverPolicy.All : DeliverPolicy.New,
    // What cannot be handled is put into the dead letters by us, with its reason: the server must never give up by itself.
    max_deliver: -1,
    max_ack_pending: 1_000,
  });
  return nats.js.consumers.get(EVENT_STREAM, durable);
}

function parse<T>(schema: z.ZodType<T>, msg: JsMsg): T {
  let raw: unknown;
  try {
    raw = msg.json();
  } catch (err) {
    throw new TerminalError("malformed", "the message is not JSON", { cause: err });
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") ?? "";
  throw new TerminalError("malformed", `the event is not of its form: ${where}: ${issue?.message}`);
}

async function handleMessage<T>(
  nats: Nats,
  options: ConsumeOptions<T>,
  msg: JsMsg,
  signal: AbortSignal,
): Promise<void> {
  const working = setInterval(() => msg.working(), WORKING_MS);
  try {
    await options.handle(parse(options.schema, msg), signal);
    // A double ack: without it a lost ack would repeat the work, which is harmless but not free.
    await msg.ackAck();
  } catch (thrown) {
    const err = toError(thrown);
    if (signal.aborted && isAborted(err)) msg.nak();
    else if (err instanceof RetryLater) {
      nats.logger.info({ err, subject: msg.subject, delayMs: err.delayMs }, "event put back");
      msg.nak(err.delayMs);
    } else if (err instanceof TerminalError) await bury(nats, options.durable, msg, err, signal);
    else {
      const delay = backoffDelay({ initial: 500, max: 60_000 }, msg.info.deliveryCount);
      nats.logger.error({ err, subject: msg.subject, delayMs: delay }, "event not handled");
      msg.nak(delay);
    }
  } finally {
    clearInterval(working);
  }
}

async function bury(
  nats: Nats,
  stage: string,
  msg: JsMsg,
  err: TerminalError,
  signal: AbortSignal,
): Promise<void> {
  nats.logger.error({ err, subject: msg.subject, seq: msg.seq }, "event put into dead letters");
  await publishDeadLetter(
    nats,
    {
      stage,
      reason: err.reason,
      message: err.message,
      id: `${msg.info.stream}-${msg.seq}-${stage}`,
      subject: msg.subject,
      body: msg.data,
    },
    signal,
  );
  msg.term(err.reason);
}

/**
 * Consumes events of the stream through a durable pull consumer, made where it is missing, until disposal.
 * Survives restarts of the server: a subscription that ends is opened again.
 */
export async function consume<T>(nats: Nats, options: ConsumeOptions<T>): Promise<Consuming> {
  const concurrency = options.concurrency ?? 16;
  const stop = new AbortController();
  const handBack = new AbortController();
  const inHand = new Set<Promise<void>>();
  let consumer = await ensureConsumer(nats, options);
  let messages: ConsumerMessages | undefined;
  let heard = Date.now();

  const take = async (msg: JsMsg) => {
    const work = handleMessage(nats, options, msg, handBack.signal).catch((err: unknown) =>
      nats.logger.error({ err, subject: msg.subject }, "event neither acknowledged nor put back"),
    );
    const held = work.finally(() => inHand.delete(held));
    inHand.add(held);
    if (inHand.size >= concurrency) await Promise.race(inHand);
  };
  const followStatus = async (opened: ConsumerMessages) => {
    for await (const status of opened.status()) {
      if (status.type === "heartbeat" || status.type === "next") heard = Date.now();
    }
  };
  const pump = async () => {
    for (let attempt = 1; !stop.signal.aborted; attempt++) {
      try {
        const opened = await consumer.consume({
          max_messages: concurrency * 4,
          idle_heartbeat: 5_000,
          expires: 30_000,
        });
        messages = opened;
        if (stop.signal.aborted) opened.stop();
        followStatus(opened).catch(() => undefined);
        for await (const msg of opened) {
          heard = Date.now();
          attempt = 1;
          if (stop.signal.aborted) msg.nak();
          else await take(msg);
        }
      } catch (err) {
        nats.logger.warn({ err, durable: options.durable }, "subscription ended, opening again");
      }
      if (stop.signal.aborted) return;
      await sleep(backoffDelay({ initial: 200, max: 5_000 }, attempt));
      try {
        consumer = await ensureConsumer(nats, options);
      } catch (err) {
        nats.logger.warn({ err, durable: options.durable }, "consumer not available");
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
    async [Symbol.asyncDispose]() {
      stop.abort();
      messages?.stop();
      const timer = setTimeout(() => handBack.abort(), HAND_BACK_MS);
      await pumping;
      await Promise.all(inHand);
      clearTimeout(timer);
    },
  };
}
