import type { Env } from "@rollcast/runtime/config/load";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import type { SecretRef } from "@rollcast/shared/config/secret-ref";
import { ConfigError } from "@rollcast/shared/errors";
import type { GuardedFetch } from "../http/guarded-fetch.ts";
import type { Message } from "../message/message.ts";
import { redactSecrets } from "../http/answer.ts";
import { classifyAnswer, classifyError } from "../http/classify-answer.ts";
import type { SendResult } from "../http/send-result.ts";
import type { Answer } from "../http/answer.ts";
import type { Receiver } from "./receiver.ts";

/** A message in the format of a receiver. */
export type Rendered = {
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export type HttpReceiverOptions = {
  name: string;
  fetch: GuardedFetch;
  /** Where to send; read for every attempt, so that a rotated URL takes effect at once. */
  url: () => Promise<URL>;
  /** Applies the templates to a message. */
  applyTemplates: (message: Message) => Message;
  render: (message: Message) => Rendered | Promise<Rendered>;
  /** Classifies the response; by its status unless given. `now` in milliseconds since the epoch. */
  classify?: (answer: Answer, now: number) => SendResult;
};

export const JSON_TYPE = "application/json; charset=utf-8";

/**
 * Reads a URL from a secret. Throws {@link ConfigError}, which names `key` of the receiver's
 * configuration but not the value.
 */
export async function readUrl(ref: SecretRef, env: Env, key: string): Promise<URL> {
  const url = URL.parse(await readSecret(ref, env, key));
  if (url === null) throw new ConfigError(`${key}: the secret holds no URL`);
  return url;
}

/** Shorter parts of a URL are words that any response may contain. */
const MIN_PART = 8;

/** Path and query, which are a credential at most chats, and their parts. */
function secretParts({ pathname, search, searchParams }: URL): string[] {
  const whole = [search, search.slice(1), pathname, pathname.slice(1)];
  const parts = [...pathname.split("/"), ...search.split(/[?&=]/), ...searchParams.values()];
  return [...whole, ...parts.filter((part) => part.length >= MIN_PART)];
}

/** A receiver that takes one POST per message. */
export function createHttpReceiver(options: HttpReceiverOptions): Receiver {
  const { name, fetch, render, classify = classifyAnswer } = options;
  return {
    name,
    async send(message, signal): Promise<SendResult> {
      try {
        const { contentType, body, headers: more } = await render(options.applyTemplates(message));
        const headers = { "content-type": contentType, "user-agent": "rollcast-notifier", ...more };
        const url = await options.url();
        const answer = await fetch.post({ url, headers, body }, signal);
        return classify(redactSecrets(answer, secretParts(url)), Date.now());
      } catch (err) {
        if (signal.aborted) throw err;
        return classifyError(err);
      }
    },
    [Symbol.asyncDispose]: () => fetch[Symbol.asyncDispose](),
  };
}
