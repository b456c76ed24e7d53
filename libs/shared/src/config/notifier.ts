import { z } from "zod";
import { Api } from "./api.ts";
import { duration } from "../duration.ts";
import { AlertmanagerReceiver, SlackReceiver } from "./receiver-kinds.ts";
import { SecretRef } from "./secret-ref.ts";
import { Templates } from "./templates.ts";

const ReceiverName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -")
  // In an annotation it stands for nobody.
  .refine((name) => name !== "none", 'must be another name than "none"');

/** What a receiver may reach beyond the default, which is https on port 443 to public addresses. */
export const Security = z.strictObject({
  allowedPorts: z.array(z.number().int().min(1).max(65_535)).max(16).default([443]),
  allowCidrs: z
    .array(z.union([z.cidrv4(), z.cidrv6()]))
    .max(32)
    .default([]),
  allowHttp: z.boolean().default(false),
});
export type Security = z.infer<typeof Security>;

export const WebhookReceiver = z
  .strictObject({
    url: z.url({ protocol: /^https?$/ }).optional(),
    urlFrom: SecretRef.optional(),
    format: z.enum(["cloudevents", "standard"]).default("standard"),
    signing: z.strictObject({ secretsFrom: z.array(SecretRef).min(1).max(4) }).optional(),
  })
  .refine(({ url, urlFrom }) => (url === undefined) !== (urlFrom === undefined), {
    error: "must have either url or urlFrom",
  });
export type WebhookReceiver = z.infer<typeof WebhookReceiver>;

/** At most `max` messages in `per`, over all replicas. */
const RateLimit = z.strictObject({
  max: z.number().int().min(1).max(1_000),
  per: duration({ min: "100ms", max: "1h" }).prefault("1s"),
});
export type RateLimit = z.infer<typeof RateLimit>;

/** The kinds of receivers; a receiver has exactly one. */
export const RECEIVER_KINDS = [
  "webhook",
  "slack",
  "teams",
  "googleChat",
  "alertmanager",
  "none",
] as const;
export type ReceiverKind = (typeof RECEIVER_KINDS)[number];

export const Receiver = z
  .strictObject({
    name: ReceiverName,
    webhook: WebhookReceiver.optional(),
    slack: SlackReceiver.optional(),
    /** A Workflows webhook of Teams; its URL is the credential. */
    teams: z.strictObject({ urlFrom: SecretRef }).optional(),
    /** An incoming webhook of a Google Chat space; its URL is the credential. */
    googleChat: z.strictObject({ urlFrom: SecretRef }).optional(),
    alertmanager: AlertmanagerReceiver.optional(),
    /** Takes everything and tells nobody. */
    none: z.strictObject({}).optional(),
    /** Unless told 10 a second for a webhook and an Alertmanager, 1 a second for a chat. */
    rateLimit: RateLimit.optional(),
    security: Security.optional(),
    /** Before the notifier's own. */
    templates: Templates.optional(),
  })
  .superRefine((receiver, ctx) => {
    const kinds = RECEIVER_KINDS.filter((kind) => receiver[kind] !== undefined);
    if (kinds.length !== 1) {
      const message = `must have exactly one of ${RECEIVER_KINDS.join(", ")}`;
      ctx.addIssue({ code: "custom", message });
    }
    if (receiver.none === undefined) return;
    for (const key of ["rateLimit", "security", "templates"] as const) {
      if (receiver[key] === undefined) continue;
      const message = "does nothing at a receiver that tells nobody";
      ctx.addIssue({ code: "custom", path: [key], message });
    }
  });
export type Receiver = z.infer<typeof Receiver>;

/** What an event is routed and grouped by. */
export const ROUTE_LABELS = [
  "cluster",
  "namespace",
  "kind",
  "name",
  "workload",
  "outcome",
  "severity",
  "source",
  "reason",
  "queue",
] as const;
export type RouteLabel = (typeof ROUTE_LABELS)[number];

const RouteSettings = {
  receiver: ReceiverName.optional(),
  /** What the events of one message have in common. */
  groupBy: z.array(z.enum(ROUTE_LABELS)).max(ROUTE_LABELS.length).optional(),
  /** How long the first event of a group waits for others. */
  groupWait: duration({ max: "1h" }).optional(),
  /** How long a group that was told of waits before it is told of again. */
  groupInterval: duration({ max: "24h" }).optional(),
};

/** A node of the route tree. What it does not set, it inherits. */
export type Route = {
  match: string[];
  continue: boolean;
  routes: Route[];
  receiver?: string | undefined;
  groupBy?: RouteLabel[] | undefined;
  groupWait?: number | undefined;
  groupInterval?: number | undefined;
};

const ChildRoute: z.ZodType<Route> = z.lazy(() =>
  z.strictObject({
    ...RouteSettings,
    /** All must hold; without one, everything matches. */
    match: z.array(z.string().max(1_000)).max(32).default([]),
    /** Whether the routes after this one are asked too. */
    continue: z.boolean().default(false),
    routes: z.array(ChildRoute).max(100).default([]),
  }),
);

/** The root of the tree: takes everything. */
const RootRoute = z.strictObject({
  ...RouteSettings,
  routes: z.array(ChildRoute).max(100).default([]),
});
export type RootRoute = z.infer<typeof RootRoute>;

/** Which workloads may name receivers themselves. */
const AnnotationRule = z.strictObject({
  /** Namespaces in which the annotation `rollcast.dev/notify` counts; `*` stands for anything. */
  namespaces: z
    .array(
      z
        .string()
        .max(63)
        .regex(/^[a-z0-9*-]+$/, "must be a namespace name, * stands for anything"),
    )
    .max(1_000)
    .default([]),
});

/** The `notifier:` part of rollcast.yaml. What matchers say is checked where they are compiled, at the notifier's start. */
export const NotifierConfig = z
  .strictObject({
    receivers: z.array(Receiver).max(100).default([]),
    route: RootRoute.prefault({}),
    annotation: AnnotationRule.prefault({}),
    api: Api("0.0.0.0:8082").optional(),
    /** Of every receiver that has none of its own. */
    templates: Templates.prefault({}),
  })
  .superRefine(({ receivers, route }, ctx) => {
    const names = new Set<string>();
    for (const [i, { name }] of receivers.entries()) {
      if (names.has(name)) {
        const message = `another receiver is named "${name}" already`;
        ctx.addIssue({ code: "custom", path: ["receivers", i, "name"], message });
      }
      names.add(name);
    }
    const check = (node: Pick<Route, "receiver" | "routes">, path: (string | number)[]) => {
      if (node.receiver !== undefined && !names.has(node.receiver)) {
        const message = `there is no receiver named "${node.receiver}"`;
        ctx.addIssue({ code: "custom", path: [...path, "receiver"], message });
      }
      for (const [i, child] of node.routes.entries()) check(child, [...path, "routes", i]);
    };
    check(route, ["route"]);
  });
export type NotifierConfig = z.infer<typeof NotifierConfig>;
