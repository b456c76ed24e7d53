import { createHmac } from "node:crypto";
import type { Env } from "@rollcast/runtime/config/load";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { carried } from "@rollcast/runtime/trace";
import type { WebhookReceiver } from "@rollcast/shared/config/receivers";
import type { SecretRef } from "@rollcast/shared/config/secret-ref";
import { ConfigError } from "@rollcast/shared/errors";
import { classifyAnswer, classifyError, redactSecrets } from "../http/classify-answer.ts";
import type { SendResult } from "../http/classify-answer.ts";
import { checkUrl, createGuardedFetch } from "../http/guarded-fetch.ts";
import type { Answer } from "../http/guarded-fetch.ts";
import type { Message } from "../message/message.ts";
import type { Receiver, ReceiverOptions } from "./receiver.ts";

/** A message in the format of a receiver. */
export type Rendered = {
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** How to send to a receiver that takes one POST per message. */
export type HttpFormat = {
  /** Where to send; read for every attempt, so that a rotated URL takes effect at once. */
  url: () => Promise<URL>;
  render: (message: Message) => Rendered | Promise<Rendered>;
  /** Classifies the response; by its status unless given. `now` in milliseconds since the epoch. */
  classify?: (answer: Answer, now: number) => SendResult;
  /** Throws when a required secret cannot be read. */
  check?: () => Promise<unknown>;
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

/**
 * Opens a receiver that takes one POST per message. Throws {@link ConfigError} when a secret cannot
 * be read, {@link AddressRefusedError} when its address is not allowed.
 */
export async function openHttpReceiver(
  { config, security, ca, applyTemplates, env }: ReceiverOptions,
  format: HttpFormat,
): Promise<Receiver> {
  const { render, classify = classifyAnswer } = format;
  checkUrl(await format.url(), security);
  await format.check?.();
  const fetch = createGuardedFetch({ security, ca, env });
  return {
    name: config.name,
    async send(message, signal): Promise<SendResult> {
      try {
        const { contentType, body, headers: more } = await render(applyTemplates(message));
        const headers = { "content-type": contentType, "user-agent": "rollcast-notifier", ...more };
        const url = await format.url();
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

/**
 * The body of a webhook. `standard`: the envelope of Standard Webhooks, `{type, timestamp, data}`,
 * where `data` holds the text and the events. `cloudevents`: only the events, as a batch
 * (https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md).
 */
export function webhookBody(message: Message, format: WebhookReceiver["format"]): Rendered {
  if (format === "cloudevents") {
    return {
      contentType: "application/cloudevents-batch+json; charset=utf-8",
      body: JSON.stringify(message.events),
    };
  }
  const { id, cluster, severity, outcome, title, text, facts, next, labels, events } = message;
  const group = { labels, count: events.length };
  const body = JSON.stringify({
    type: `rollout.${outcome}`,
    timestamp: new Date(message.createdAt).toISOString(),
    data: { id, cluster, severity, outcome, title, text, facts, next, group, events },
  });
  return { contentType: JSON_TYPE, body };
}

/**
 * Reads the signing keys, anew for every attempt. Throws {@link ConfigError} when a secret is
 * missing or invalid.
 */
async function readKeys(config: WebhookReceiver, env: Env): Promise<Buffer[]> {
  const refs = config.signing?.secretsFrom ?? [];
  const key = (at: number) => `webhook.signing.secretsFrom[${at}]`;
  const secrets = await Promise.all(refs.map((ref, at) => readSecret(ref, env, key(at))));
  return secrets.map(signingKey);
}

const PREFIX = "whsec_";
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/**
 * The key in a signing secret: `whsec_` followed by the base64 of 24 to 64 bytes. Throws {@link
 * ConfigError} for anything else; the error never contains the secret. Format:
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signingKey(secret: string): Buffer {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : "";
  if (!BASE64.test(encoded)) {
    throw new ConfigError(`a signing secret must be ${PREFIX} followed by base64`);
  }
  const key = Buffer.from(encoded, "base64");
  if (key.length < MIN_BYTES || key.length > MAX_BYTES) {
    throw new ConfigError(
      `a signing secret must hold ${MIN_BYTES} to ${MAX_BYTES} bytes, this one holds ${key.length}`,
    );
  }
  return key;
}

type Signed = {
  /** The same for all attempts of a notification. */
  readonly id: string;
  /** Time of this attempt; seconds since the epoch. */
  readonly timestamp: number;
  readonly body: string;
};

/**
 * The headers of Standard Webhooks, with one signature per key, so that during a rotation a
 * receiver may verify with the old or the new one.
 */
export function signatureHeaders(
  { id, timestamp, body }: Signed,
  keys: readonly Buffer[],
): Record<string, string> {
  const signatures = keys.map(
    (key) =>
      `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`,
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    ...(signatures.length === 0 ? {} : { "webhook-signature": signatures.join(" ") }),
  };
}

/** How to send to a generic webhook, signed as Standard Webhooks specify. */
export function webhookFormat(config: WebhookReceiver, env: Env): HttpFormat {
  const { url = "", urlFrom } = config;
  return {
    url: async () =>
      urlFrom === undefined ? new URL(url) : readUrl(urlFrom, env, "webhook.urlFrom"),
    async render(message) {
      const rendered = webhookBody(message, config.format);
      const timestamp = Math.floor(Date.now() / 1_000);
      const signed = { id: message.id, timestamp, body: rendered.body };
      const signature = signatureHeaders(signed, await readKeys(config, env));
      return { ...rendered, headers: { ...signature, ...carried() } };
    },
    check: () => readKeys(config, env),
  };
}
