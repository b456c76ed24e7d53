import { z } from "zod";
import { duration } from "../duration.ts";
import { ReceiverName } from "./receivers.ts";

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
  /** How long a group that was sent waits before it is sent again. */
  groupInterval: duration({ max: "24h" }).optional(),
};

/** A node of the route tree. What it does not set, it inherits. */
export type Route = {
  match: string[];
  continue: boolean;
  routes: Route[];
  receiver?: string;
  groupBy?: RouteLabel[];
  groupWait?: number;
  groupInterval?: number;
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
export const RootRoute = z.strictObject({
  ...RouteSettings,
  routes: z.array(ChildRoute).max(100).default([]),
});
export type RootRoute = z.infer<typeof RootRoute>;

/** Which workloads may name receivers themselves. */
export const AnnotationRule = z.strictObject({
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
