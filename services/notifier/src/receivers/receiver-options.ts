import type { Env } from "@rollcast/runtime/config/load";
import type { ReceiverConfig, Security } from "@rollcast/shared/config/receivers";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";
import type { Pacer } from "../http/pacer.ts";
import type { NotifyRecord } from "../model/notify-record.ts";
import type { Failpoint } from "../failpoints.ts";
import type { ApplyTemplates } from "../message/templates.ts";

/** What the receivers share. */
export type ReceiverDeps = {
  env: Env;
  cluster: string;
  records: Kv<NotifyRecord>;
  logger: Logger;
  failpoint: (failpoint: Failpoint) => void;
  /** Shared by all receivers: several may send to one channel. */
  pace: Pacer;
};

/** Everything needed to open one receiver. */
export type ReceiverOptions = ReceiverDeps & {
  readonly config: ReceiverConfig;
  readonly security: Security;
  readonly applyTemplates: ApplyTemplates;
};
