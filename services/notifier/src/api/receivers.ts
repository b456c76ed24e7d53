import { randomUUID } from "node:crypto";
import type { z } from "zod";
import type { listReceivers, testReceiver } from "@rollcast/shared/api/receiver-routes";
import { paginate } from "@rollcast/shared/api/page";
import { ProblemError } from "@rollcast/shared/api/problem";
import { RECEIVER_KINDS } from "@rollcast/shared/config/receivers";
import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import { stableId } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import { NotificationEvent } from "@rollcast/shared/notification-event";
import { notificationSubject } from "@rollcast/shared/subjects";
import { readLastEvent } from "@rollcast/nats/history";
import type { Context } from "../context.ts";
import { messageOf } from "../message/message.ts";
import { readBacklog } from "../model/backlog.ts";

type State = z.infer<NonNullable<(typeof listReceivers)["response"]>>["items"][number];
type Query = z.infer<NonNullable<(typeof listReceivers)["query"]>>;
type TestResult = z.infer<NonNullable<(typeof testReceiver)["response"]>>;

type Configured = NotifierConfig["receivers"][number];

/** Reads a receiver's last `notification.sent` or `notification.dead` event. */
async function readLast({ nats, cluster }: Context, outcome: "sent" | "dead", receiver: string) {
  const event = await readLastEvent(nats, notificationSubject(cluster, outcome, receiver));
  return NotificationEvent.safeParse(event).data;
}

async function stateOf(
  ctx: Context,
  receiver: Configured,
): Promise<Omit<State, "waiting" | "oldestAt">> {
  const { name } = receiver;
  const [sent, dead] = await Promise.all([
    readLast(ctx, "sent", name),
    readLast(ctx, "dead", name),
  ]);
  const circuit = ctx.registry.circuits.get(name)?.state();
  return {
    name,
    kind: RECEIVER_KINDS.find((kind) => receiver[kind] !== undefined) ?? "none",
    circuit,
    lastSentAt: sent?.time,
    lastDead:
      dead === undefined ? undefined : { at: dead.time, reason: dead.data.reason ?? "Unknown" },
  };
}

/**
 * The configured receivers and their state. Waiting notifications are counted over all records, and
 * therefore over all replicas.
 */
export async function listReceiverStates(
  ctx: Context,
  config: NotifierConfig,
  query: Query,
): Promise<{ items: State[]; next?: string }> {
  const { items, ...rest } = paginate(config.receivers, ({ name }) => name, query);
  const waiting = await readBacklog(ctx);
  const states = items.map(async (receiver) => {
    const { count = 0, oldestAt } = waiting.get(receiver.name) ?? {};
    const oldest = oldestAt === undefined ? {} : { oldestAt: new Date(oldestAt).toISOString() };
    return { ...(await stateOf(ctx, receiver)), waiting: count, ...oldest };
  });
  return { items: await Promise.all(states), ...rest };
}

const TEST_WORKLOAD = { kind: "Deployment", namespace: "rollcast-test", name: "test", uid: "test" };

/**
 * Sends a test message past queue and circuit breaker, so that it shows how the receiver answers
 * now.
 */
export async function sendTest(
  ctx: Context,
  name: string,
  signal: AbortSignal,
): Promise<TestResult> {
  const receiver = ctx.registry.receivers.get(name);
  if (receiver === undefined) {
    const detail = `no receiver that sends messages is named ${name}: list them first`;
    throw new ProblemError(404, "no-such-receiver", detail);
  }
  const id = stableId("test", randomUUID());
  const createdAt = Date.now();
  const parts = { id, cluster: ctx.cluster, service: "notifier", time: createdAt };
  const event = rolloutEvent(parts, "skipped", {
    workload: TEST_WORKLOAD,
    reason: "Test",
    message: "This is a test of the receiver: nothing was rolled.",
  });
  const message = messageOf({ id, events: [event], labels: {}, createdAt }, ctx.cluster);
  const sendResult = await receiver.send(message, signal);
  const durationMs = Date.now() - createdAt;
  if (sendResult.kind === "sent") return { result: "sent", durationMs };
  const { kind: result, reason } = sendResult;
  if (sendResult.kind === "later") return { result, reason, durationMs };
  return { result, reason, message: sendResult.message, durationMs };
}
