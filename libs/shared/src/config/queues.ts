import { z } from "zod";
import { duration } from "../duration.ts";
import { Namespace, Selector } from "./scope.ts";

const Name = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -");

const Match = z
  .strictObject({
    namespaces: z.array(Namespace).max(1_000).default([]),
    namespaceSelector: Selector,
    /** Kinds of workloads as Kubernetes spells them (`Deployment`). */
    kinds: z.array(z.string().regex(/^[A-Z][A-Za-z]{1,62}$/, "must be a kind")).default([]),
    workloadSelector: Selector,
  })
  .superRefine((match, ctx) => {
    if (Object.values(match).every((part) => part.length === 0)) {
      const message = "is empty: leave it out where only the annotation chooses this queue";
      ctx.addIssue({ code: "custom", message });
    }
  });

/** What can be updated while running; the rest of a queue is as the file says. */
export const QueueLimits = z.strictObject({
  /** Patches at once, over all restarters. */
  concurrency: z.number().int().min(1).max(1_000),
  /** At most `max` jobs start in each `per` (milliseconds), over all restarters. */
  rateLimit: z
    .strictObject({
      max: z.number().int().min(1).max(100_000),
      per: duration({ min: "100ms", max: "24h" }),
    })
    .optional(),
  /** Rollouts that have begun and not ended. */
  maxRolling: z.number().int().min(1).max(1_000).optional(),
  maxRollingPerNamespace: z.number().int().min(1).max(1_000).optional(),
});
export type QueueLimits = z.infer<typeof QueueLimits>;

const Queue = z.strictObject({
  name: Name,
  /** Which workloads it takes; every part that is given must hold. */
  match: Match.optional(),
  ...QueueLimits.shape,
  concurrency: QueueLimits.shape.concurrency.default(20),
  /**
   * Changes of one workload's sources inside this time, counted from the first, are one rollout.
   */
  window: duration({ max: "1h" }).prefault("1s"),
  /** Attempts at a patch before it is reported as failed (and tried again later, slower). */
  attempts: z.number().int().min(1).max(100).default(6),
  backoff: z
    .strictObject({
      initial: duration({ min: "10ms", max: "1h" }).prefault("500ms"),
      max: duration({ min: "10ms", max: "24h" }).prefault("30s"),
    })
    .prefault({}),
  /** So many failed rollouts of one change, and what is left of it waits. */
  haltAfter: z.number().int().min(1).max(100).default(3),
});
export type Queue = z.infer<typeof Queue>;

/**
 * Who may choose a queue by annotation: these namespaces (`*`: all), and those with these labels.
 */
export const QueueAnnotation = z.strictObject({
  namespaces: z
    .union([z.tuple([z.literal("*")]), z.array(Namespace).max(1_000)], {
      error: 'must be a list of namespace names, or ["*"]',
    })
    .default([]),
  namespaceSelector: Selector,
});
export type QueueAnnotation = z.infer<typeof QueueAnnotation>;

export const DEFAULT_QUEUE = "default";

/** The `queues:` part of rollcast.yaml; the queue `default` is added where it is missing. */
export const Queues = z
  .array(Queue)
  .max(20)
  .default([])
  .superRefine((queues, ctx) => {
    for (const [i, { name, match }] of queues.entries()) {
      if (queues.findIndex((queue) => queue.name === name) !== i) {
        const message = `"${name}" is the name of another queue already`;
        ctx.addIssue({ code: "custom", path: [i, "name"], message });
      }
      if (name === DEFAULT_QUEUE && match !== undefined) {
        const message = "cannot be used: default takes what no other queue does";
        ctx.addIssue({ code: "custom", path: [i, "match"], message });
      }
    }
  })
  .transform((queues) =>
    queues.some(({ name }) => name === DEFAULT_QUEUE)
      ? queues
      : [...queues, Queue.parse({ name: DEFAULT_QUEUE })],
  );

type Parts = {
  queues: readonly Queue[];
  queueAnnotation: QueueAnnotation;
  scope: { readonly namespaces: readonly string[] };
};

/** What is wrong between queues and the rest of the configuration. */
export function checkQueues(config: Parts, ctx: z.RefinementCtx): void {
  const { queues, queueAnnotation: annotation } = config;
  const add = (path: (string | number)[], message: string) =>
    ctx.addIssue({ code: "custom", path, message });
  const isChosen = annotation.namespaces.length > 0 || annotation.namespaceSelector !== "";
  const selectorMessage =
    "cannot be used together with scope.namespaces, under which labels of namespaces are not read";
  for (const [i, { name, match }] of queues.entries()) {
    if (match === undefined && name !== DEFAULT_QUEUE && !isChosen) {
      add(
        ["queues", i, "match"],
        "is missing, and queueAnnotation lets no namespace choose: nothing could come into this queue",
      );
    }
    if ((match?.namespaceSelector ?? "") !== "" && config.scope.namespaces.length > 0) {
      add(["queues", i, "match", "namespaceSelector"], selectorMessage);
    }
  }
  if (annotation.namespaceSelector !== "" && config.scope.namespaces.length > 0) {
    add(["queueAnnotation", "namespaceSelector"], selectorMessage);
  }
}
