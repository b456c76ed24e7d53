import type { Env } from "@rollcast/runtime/config/load";
import type { Receiver as ReceiverConfig, Security } from "@rollcast/shared/config/notifier";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";
import type { Pacer } from "../http/pacer.ts";
import type { NotifyRecord } from "../model/notify-record.ts";
import type { Failpoint } from "../failpoints.ts";
import type { ApplyTemplates } from "../message/templates.ts";

/** What receivers share. */
export type ReceiverDeps = {
  env: Env;
  cluster: string;
  records: Kv<NotifyRecord>;
  logger: Logger;
  failpoint: (failpoint: Failpoint) => void;
  /** Over all receivers: several may send to one channel. */
  pace: Pacer;
};

/** What one receiver is opened from. */
export type ReceiverOptions = ReceiverDeps & {
  readonly config: ReceiverConfig;
  readonly security: Security;
  readonly applyTemplates: ApplyTemplates;
};
