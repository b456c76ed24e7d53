import type { Message } from "../message/message.ts";
import type { SendResult } from "../http/send-result.ts";

/**
 * Sends messages, one attempt per call; whether and when to retry is up to the caller. Throws only
 * after `signal` fires.
 */
export type Receiver = AsyncDisposable & {
  readonly name: string;
  send(message: Message, signal: AbortSignal): Promise<SendResult>;
};
