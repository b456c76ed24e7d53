import type { JsMsg } from "@nats-io/jetstream";
import type { z } from "zod";
import { backoffDelay } from "@rollcast/async/backoff";
import { RetryLaterError, TerminalError, isAborted, toError } from "@rollcast/shared/errors";
import type { Nats } from "./connect.ts";
import { publishDeadLetter } from "./publish.ts";

export type Handling<T> = {
  durable: string;
  schema: z.ZodType<T>;
  handle: (event: T, signal: AbortSignal) => Promise<void>;
};

/** Well within the time that the server waits for an acknowledgement. */
const WORKING_MS = 5_000;
const AGAIN = { initial: 500, max: 60_000 };
/** Up to this the delay of an event that comes too early again and again grows. */
const LATER_MAX_MS = 10_000;

/**
 * Milliseconds until an event is delivered again that asked for `delayMs`, and was delivered so
 * often: in a long outage a thousand of them would else keep each replica busy with putting them
 * back.
 */
function laterMs(delayMs: number, deliveries: number): number {
  const initial = Math.max(0, Math.round(delayMs));
  const max = Math.max(initial, LATER_MAX_MS);
  return Math.max(initial, backoffDelay({ initial, max }, deliveries));
}

function parse<T>(schema: z.ZodType<T>, msg: JsMsg): T {
  let raw: unknown;
  try {
    raw = msg.json();
  } catch (err) {
    throw new TerminalError("Malformed", "the message is not JSON", { cause: err });
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") ?? "";
  throw new TerminalError("Malformed", `the event is not of its form: ${where}: ${issue?.message}`);
}

/** Tells the server every few seconds that the message is in flight. */
function keepInFlight(msg: JsMsg): Disposable {
  const timer = setInterval(() => {
    try {
      msg.working();
    } catch {
      // The connection is closed: the message will be delivered to somebody else.
    }
  }, WORKING_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function bury(
  nats: Nats,
  stage: string,
  msg: JsMsg,
  err: TerminalError,
  signal: AbortSignal,
): Promise<void> {
  nats.logger.error({ err, subject: msg.subject, seq: msg.seq }, "event put into dead letters");
  const letter = {
    stage,
    reason: err.reason,
    message: err.message,
    id: `${msg.info.stream}-${msg.seq}-${stage}`,
    subject: msg.subject,
    body: msg.data,
  };
  await publishDeadLetter(nats, letter, signal);
  msg.term(err.reason);
}

/**
 * Does with a message whose handling failed what its error says; an error of that itself is one
 * more reason to try again.
 */
async function afterFailure<T>(
  nats: Nats,
  options: Handling<T>,
  msg: JsMsg,
  err: Error,
  signal: AbortSignal,
): Promise<void> {
  const { logger } = nats;
  const { subject } = msg;
  if (signal.aborted && isAborted(err)) {
    msg.nak();
  } else if (err instanceof RetryLaterError) {
    const delayMs = laterMs(err.delayMs, msg.info.deliveryCount);
    logger.info({ err, subject, delayMs }, "event requeued");
    msg.nak(delayMs);
  } else if (err instanceof TerminalError) {
    await bury(nats, options.durable, msg, err, signal).catch((failure: unknown) => {
      const reason = isAborted(failure)
        ? toError(failure)
        : new Error("not buried", { cause: failure });
      return afterFailure(nats, options, msg, reason, signal);
    });
  } else {
    const delayMs = backoffDelay(AGAIN, msg.info.deliveryCount);
    logger.error({ err, subject, delayMs }, "event not handled");
    msg.nak(delayMs);
  }
}

/**
 * Parses a message, has it handled and acknowledges it, or puts it back, or into the dead letters.
 */
export async function handleMessage<T>(
  nats: Nats,
  options: Handling<T>,
  msg: JsMsg,
  signal: AbortSignal,
): Promise<void> {
  using _inFlight = keepInFlight(msg);
  try {
    await options.handle(parse(options.schema, msg), signal);
  } catch (thrown) {
    await afterFailure(nats, options, msg, toError(thrown), signal);
    return;
  }
  try {
    // A double ack: without it a lost ack would repeat the work, which is harmless but not free.
    await msg.ackAck();
  } catch (err) {
    nats.logger.warn({ err, subject: msg.subject }, "acknowledgement not confirmed");
  }
}
