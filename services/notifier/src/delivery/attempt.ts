import { RetryLater } from "@rollcast/shared/errors";
import type { Context } from "../context.ts";
import { messageOf } from "../message/message.ts";
import type { NotificationRecord } from "../model/notification-record.ts";
import { MAX_AGE_MS } from "./retry-schedule.ts";
import type { Verdict } from "../http/send-result.ts";

/** From when on its age counts. */
export function bornAt({ createdAt, redriven }: NotificationRecord): number {
  return redriven?.at ?? createdAt;
}

export async function attempt(
  ctx: Context,
  record: NotificationRecord,
  signal: AbortSignal,
): Promise<Verdict> {
  const receiver = ctx.receivers.get(record.receiver);
  const circuit = ctx.circuits.get(record.receiver);
  if (receiver === undefined || circuit === undefined) {
    const message = "the receiver is not in the configuration any more";
    return { kind: "refused", reason: "receiver-removed", message };
  }
  if (Date.now() - bornAt(record) > MAX_AGE_MS) {
    return { kind: "refused", reason: "expired", message: "it was not delivered within a day" };
  }
  const entered = circuit.enter(Date.now());
  if (entered === "gone") {
    const message =
      "the receiver answered 410 before: it is not asked again before its configuration changes";
    return { kind: "refused", reason: "gone", message };
  }
  if (entered !== "go") throw new RetryLater(entered, "the receiver's circuit is open");
  let verdict: Verdict | undefined;
  try {
    verdict = await receiver.send(messageOf(record, ctx.cluster), signal);
    return verdict;
  } finally {
    circuit.leave(verdict, Date.now());
  }
}
