import { z } from "zod";
import { AlertRecord } from "./alert-record.ts";
import { MessageLogRecord } from "./message-log-record.ts";
import { GroupRecord } from "./group-record.ts";
import { NotificationRecord } from "./notification-record.ts";
import { ReceiversRecord } from "./receivers-record.ts";

/** Every record of the bucket. */
export const NotifyRecord = z.discriminatedUnion("type", [
  GroupRecord,
  NotificationRecord,
  ReceiversRecord,
  MessageLogRecord,
  AlertRecord,
]);
export type NotifyRecord = z.infer<typeof NotifyRecord>;
