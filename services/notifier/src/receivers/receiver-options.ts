import type { Env } from "@rollcast/runtime/config/load";
import type { Receiver as ReceiverConfig, Security } from "@rollcast/shared/config/notifier";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";
import type { Pacer } from "../http/pacer.ts";
import type { NotifyRecord } from "../model/notify-record.ts";
import type { Step } from "../failpoints.ts";
import type { Dress } from "../message/templates.ts";

/** What receivers share. */
export type ReceiverDeps = {
  env: Env;
  cluster: string;
  records: Kv<NotifyRecord>;
  logger: Logger;
  step: (step: Step) => void;
  /** Over all receivers: several may send to one channel. */
  pace: Pacer;
};

/** What one receiver is opened from. */
export type Opening = ReceiverDeps & {
  readonly config: ReceiverConfig;
  readonly security: Security;
  readonly dress: Dress;
};
