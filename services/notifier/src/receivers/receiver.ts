import type { Message } from "../message/message.ts";
import type { SendResult } from "../http/send-result.ts";

/** Where messages go. One try: whether and when another follows is not its business. It throws only after `signal`. */
export type Receiver = AsyncDisposable & {
  readonly name: string;
  send(message: Message, signal: AbortSignal): Promise<SendResult>;
};
