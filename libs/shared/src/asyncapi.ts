import { z } from "zod";
import { CONTENT_TYPE, RolloutEvent, SourceEvent } from "./events.ts";
import { NotificationEvent } from "./notification-event.ts";
import { FreezeEvent, QueueEvent } from "./operation-events.ts";

type Json = Record<string, unknown>;

const OBJECT = ["kind", "namespace", "name"] as const;

/** What a subject's token stands for. */
const PARAMETERS: Readonly<Record<string, string>> = {
  cluster: "The cluster's name in the configuration",
  outcome: "What happened, the word before `.v1` in the event's type",
  kind: "The object's kind in lower case",
  namespace: "The object's namespace, each dot written as an underscore",
  name: "The object's name, each dot written as an underscore",
  receiver: "The receiver's name",
  queue: "The queue's name",
  scope:
    "`cluster`, `namespace`, or `workload`; the namespace, or kind, namespace and name follow as further tokens",
};

const CHANNELS = [
  {
    domain: "source",
    title: "A ConfigMap, Secret or SecretProviderClass changed",
    schema: SourceEvent,
    tokens: OBJECT,
  },
  { domain: "rollout", title: "What became of a rollout", schema: RolloutEvent, tokens: OBJECT },
  {
    domain: "notification",
    title: "A message was delivered, or is dead",
    schema: NotificationEvent,
    tokens: ["receiver"],
  },
  { domain: "queue", title: "A queue's settings change", schema: QueueEvent, tokens: ["queue"] },
  {
    domain: "freeze",
    title: "Rollouts are frozen, or no longer",
    schema: FreezeEvent,
    tokens: ["scope"],
  },
] as const;

function payload(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", target: "draft-7" });
  return rest;
}

function channel({ domain, title, tokens }: (typeof CHANNELS)[number]): Json {
  const names = ["cluster", "outcome", ...tokens];
  const [cluster, outcome, ...rest] = names.map((name) => `{${name}}`);
  return {
    address: ["rollcast", "v1", cluster, domain, outcome, ...rest].join("."),
    title,
    messages: { [domain]: { $ref: `#/components/messages/${domain}` } },
    parameters: Object.fromEntries(
      names.map((name) => [name, { description: PARAMETERS[name] ?? name }]),
    ),
  };
}

function message({ domain, title, schema }: (typeof CHANNELS)[number]): Json {
  return {
    name: domain,
    title,
    contentType: CONTENT_TYPE,
    headers: {
      type: "object",
      properties: {
        "Nats-Msg-Id": {
          type: "string",
          description: "The event's id: the same event has one id, whoever publishes it",
        },
      },
    },
    payload: { schemaFormat: "application/schema+json;version=draft-07", schema: payload(schema) },
  };
}

/**
 * The AsyncAPI 3.1 document of the events
 * (https://www.asyncapi.com/docs/reference/specification/v3.1.0), made of the schemas that check
 * them.
 */
export function asyncApiDocument(version: string): Json {
  const each = <T>(make: (channel: (typeof CHANNELS)[number]) => T) =>
    Object.fromEntries(CHANNELS.map((channel) => [channel.domain, make(channel)] as const));
  return {
    asyncapi: "3.1.0",
    info: {
      title: "Rollcast events",
      version,
      description:
        "CloudEvents 1.0 in structured JSON on the JetStream stream ROLLCAST. They carry names of keys and causes, never a value and never the digest of one. Within v1 there are only additions.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: CONTENT_TYPE,
    servers: {
      nats: { host: "nats:4222", protocol: "nats", description: "As in nats.url of rollcast.yaml" },
    },
    channels: each(channel),
    operations: each((channel) => ({
      action: "send",
      channel: { $ref: `#/channels/${channel.domain}` },
      summary: channel.title,
      messages: [{ $ref: `#/channels/${channel.domain}/messages/${channel.domain}` }],
    })),
    components: { messages: each(message) },
  };
}
