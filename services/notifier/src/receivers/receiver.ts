import type { Env } from "@rollcast/runtime/config/load";
import type { ReceiverConfig, Security } from "@rollcast/shared/config/receivers";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";
import type { Failpoint } from "../failpoints.ts";
import type { SendResult } from "../http/classify-answer.ts";
import type { Message } from "../message/message.ts";
import type { ApplyTemplates } from "../message/templates.ts";
import type { NotifyRecord } from "../model/notify-record.ts";

/**
 * Sends messages, one attempt per call; whether and when to retry is up to the caller. Throws only
 * after `signal` fires.
 */
export type Receiver = AsyncDisposable & {
  readonly name: string;
  send(message: Message, signal: AbortSignal): Promise<SendResult>;
};

/** What the receivers share. */
export type ReceiverDeps = {
  env: Env;
  cluster: string;
  records: Kv<NotifyRecord>;
  logger: Logger;
  failpoint: (failpoint: Failpoint) => void;
  /**
   * Resolves when the channel `key` accepts another message; rejects when `signal` fires. Shared by
   * all receivers: several may send to one channel.
   */
  pace: (key: string, signal: AbortSignal) => Promise<void>;
};

/** Everything needed to open one receiver. */
export type ReceiverOptions = ReceiverDeps & {
  readonly config: ReceiverConfig;
  readonly security: Security;
  /** In PEM; undefined: those that Node trusts. */
  readonly ca: readonly string[] | undefined;
  readonly applyTemplates: ApplyTemplates;
};
