import { RetryLaterError } from "@rollcast/shared/errors";
import type { Context } from "../context.ts";
import { messageOf } from "../message/message.ts";
import type { NotificationRecord } from "../model/notification-record.ts";
import { MAX_AGE_MS } from "./retry-schedule.ts";
import type { SendResult } from "../http/classify-answer.ts";

/** The time from which its age counts. */
export function queuedAt({ createdAt, redriven }: NotificationRecord): number {
  return redriven?.at ?? createdAt;
}

/** Sends the notification, unless its receiver was removed or is gone, or it is too old. */
export async function attempt(
  ctx: Context,
  record: NotificationRecord,
  signal: AbortSignal,
): Promise<SendResult> {
  const receiver = ctx.receivers.get(record.receiver);
  const circuit = ctx.circuits.get(record.receiver);
  if (receiver === undefined || circuit === undefined) {
    const message = "the receiver was removed from the configuration";
    return { kind: "refused", reason: "ReceiverRemoved", message };
  }
  if (Date.now() - queuedAt(record) > MAX_AGE_MS) {
    return { kind: "refused", reason: "Expired", message: "it was not delivered within a day" };
  }
  const admission = circuit.enter(Date.now());
  if (admission === "gone") {
    const message =
      "the receiver answered 410: it is not tried again until its configuration changes";
    return { kind: "refused", reason: "Gone", message };
  }
  if (admission !== "go") throw new RetryLaterError(admission, "the receiver's circuit is open");
  let result: SendResult | undefined;
  try {
    result = await receiver.send(messageOf(record, ctx.cluster), signal);
    return result;
  } finally {
    circuit.leave(result, Date.now());
  }
}
