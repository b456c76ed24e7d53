import type { Env } from "@rollcast/runtime/config/load";
import type { WebhookReceiver } from "@rollcast/shared/config/receivers";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { carried } from "@rollcast/runtime/trace";
import type { Message } from "../message/message.ts";
import { signatureHeaders, signingKey } from "./signature.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { Rendered } from "./http-receiver.ts";

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
export async function readKeys(config: WebhookReceiver, env: Env): Promise<Buffer[]> {
  const refs = config.signing?.secretsFrom ?? [];
  const key = (at: number) => `webhook.signing.secretsFrom[${at}]`;
  const secrets = await Promise.all(refs.map((ref, at) => readSecret(ref, env, key(at))));
  return secrets.map(signingKey);
}

/** A generic webhook, signed as Standard Webhooks specify. */
export async function renderWebhook(
  message: Message,
  config: WebhookReceiver,
  env: Env,
): Promise<Rendered> {
  const rendered = webhookBody(message, config.format);
  const timestamp = Math.floor(Date.now() / 1_000);
  const signed = { id: message.id, timestamp, body: rendered.body };
  const signature = signatureHeaders(signed, await readKeys(config, env));
  return { ...rendered, headers: { ...signature, ...carried() } };
}
