import type { Nats } from "@rollcast/nats/connect";
import { DEAD_LETTER_STREAM } from "@rollcast/nats/streams";
import { NotificationRecord } from "../src/model/notification-record.ts";

export type DeadLetter = {
  readonly reason: string;
  readonly subject: string;
  readonly record: NotificationRecord;
};

export async function readAll<T>(
  nats: Nats,
  stream: string,
  subject: string,
  read: (msg: { json(): unknown; headers: unknown; seq: number; data: Uint8Array }) => T,
): Promise<T[]> {
  const consumer = await nats.js.consumers.get(stream, { filter_subjects: subject });
  const { num_pending: count } = await consumer.info();
  const values: T[] = [];
  if (count > 0) {
    const messages = await consumer.fetch({ max_messages: count, expires: 20_000 });
    for await (const msg of messages) values.push(read(msg));
  }
  return values;
}

export async function readDeadLetters(nats: Nats): Promise<DeadLetter[]> {
  return readAll(nats, DEAD_LETTER_STREAM, "rollcast.dlq.v1.>", (msg) => {
    const headers = msg.headers as { get(name: string): string };
    return {
      reason: headers.get("Rollcast-Reason"),
      subject: headers.get("Rollcast-Subject"),
      record: NotificationRecord.parse(msg.json()),
    };
  });
}
