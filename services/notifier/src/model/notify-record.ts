import { z } from "zod";
import { AlertRecord } from "./alert-record.ts";
import { MessageLogRecord } from "./message-log-record.ts";
import { GroupRecord } from "./group-record.ts";
import { NotificationRecord } from "./notification-record.ts";

/**
 * The receivers of the configuration that any replica loaded last, in the KV bucket `notify` under
 * `<cluster>.receivers`: a replica that has not loaded it yet must not mistake a new receiver for a
 * removed one.
 */
const ReceiversRecord = z.object({
  v: z.literal(1),
  type: z.literal("receivers"),
  names: z.array(z.string()),
  /** When the record was written. */
  at: z.number(),
});

/** Every record of the bucket. */
export const NotifyRecord = z.discriminatedUnion("type", [
  GroupRecord,
  NotificationRecord,
  ReceiversRecord,
  MessageLogRecord,
  AlertRecord,
]);
export type NotifyRecord = z.infer<typeof NotifyRecord>;
