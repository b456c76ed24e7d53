import type { z } from "zod";
import { ProblemError } from "@rollcast/shared/api/problem";
import { serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import { listQueues, resumeHalted, updateQueue } from "@rollcast/shared/api/queue-routes";
import type { QueueView } from "@rollcast/shared/api/queue-routes";
import { createFreeze, listFreezes, removeFreeze } from "@rollcast/shared/api/freeze-routes";
import type { FreezeView } from "@rollcast/shared/api/freeze-routes";
import { formatDuration } from "@rollcast/shared/duration";
import type { FreezeScope } from "@rollcast/shared/operation-events";
import type { Freeze, LiveLimits } from "../model/control-entry.ts";
import { OperationError } from "../operations/updater.ts";
import type { QueueStatus } from "../operations/queue-status.ts";
import type { Operations } from "../operations/operations.ts";
import type { ApiContext } from "./api-context.ts";
import { isoTime } from "./view.ts";

type Limits = QueueView["file"];
type Rate = { readonly max: number; readonly per: number };

function limitsView(limits: {
  readonly concurrency: number;
  readonly rateLimit?: Rate;
  readonly maxRolling?: number;
  readonly maxRollingPerNamespace?: number;
}): Limits {
  const { concurrency, rateLimit, maxRolling, maxRollingPerNamespace } = limits;
  return {
    concurrency,
    rateLimit: rateLimit === undefined ? undefined : { max: rateLimit.max, perMs: rateLimit.per },
    maxRolling,
    maxRollingPerNamespace,
  };
}

function valueText(value: number | true | Rate | null): string {
  if (value === null) return "none";
  if (typeof value !== "object") return String(value);
  return `${value.max}/${formatDuration(value.per)}`;
}

function originView(origin: { by: string; at: number; until?: number }) {
  const { by, at, until } = origin;
  return { by, at: isoTime(at), until: isoTime(until) };
}

function queueView(status: QueueStatus): QueueView {
  const { name, file, live, effective, rolling, halts } = status;
  return {
    name,
    file: limitsView(file),
    effective: limitsView(effective),
    paused: effective.paused !== undefined,
    live: Object.entries(live).flatMap(([setting, entry]) =>
      entry === undefined ? [] : [{ setting, value: valueText(entry.value), ...originView(entry) }],
    ),
    rolling: rolling.map((entry) => ({ ...entry, since: isoTime(entry.since) })),
    halted: halts.map(({ changes, failed }) => ({
      sources: [...new Set(changes.map(({ source }) => source))],
      failed,
    })),
  };
}

function freezeView({ scope, comment, ...origin }: Freeze): FreezeView {
  return { ...scope, comment, ...originView(origin) };
}

/** Maps an operation's error to a problem. */
async function withProblems<T>(work: Promise<T>): Promise<T> {
  return work.catch((err: unknown) => {
    if (!(err instanceof OperationError)) throw err;
    if (err.reason === "NotFound") throw new ProblemError(404, "no-such-queue", err.message);
    if (err.reason === "NotConfirmed") throw new ProblemError(503, "not-confirmed", err.message);
    throw new ProblemError(422, "invalid", err.message);
  });
}

function who(actor: string | undefined, forMs?: number): { by: string; until?: number } {
  const by = actor ?? "api";
  return forMs === undefined ? { by } : { by, until: Date.now() + forMs };
}

type Update = z.infer<NonNullable<typeof updateQueue.body>>;

function update(operations: Operations, queue: string, body: Update, actor: string | undefined) {
  if ("reset" in body) return operations.resetQueue(queue, who(actor));
  if ("paused" in body) {
    return body.paused
      ? operations.pauseQueue(queue, who(actor, body.for))
      : operations.resumeQueue(queue, who(actor));
  }
  const { rateLimit, ...others } = body.limits;
  const rate =
    rateLimit === undefined || rateLimit === null
      ? rateLimit
      : { max: rateLimit.max, per: rateLimit.perMs };
  const limits = { ...others, rateLimit: rate };
  return operations.setQueue(queue, limits as LiveLimits, who(actor, body.for));
}

function scopeOf(query: z.infer<NonNullable<typeof removeFreeze.query>>): FreezeScope {
  const { level, kind, namespace, name } = query;
  if (level === "cluster") return { level };
  if (level === "namespace" && namespace !== undefined) return { level, namespace };
  if (level === "workload" && kind !== undefined && namespace !== undefined && name !== undefined) {
    return { level, kind, namespace, name };
  }
  const wanted = level === "namespace" ? "namespace" : "kind, namespace and name";
  throw new ProblemError(400, "bad-request", `a freeze of a ${level} is named by its ${wanted}`);
}

/** The routes that operate queues, freezes and halted changes. */
export function operationRoutes({ operations }: ApiContext): ApiRoute[] {
  return [
    serve(listQueues, () => ({ items: operations.listQueues().map(queueView) })),
    serve(updateQueue, async ({ params, body, actor }) =>
      queueView(await withProblems(update(operations, params.queue, body, actor))),
    ),
    serve(listFreezes, () => ({ items: operations.listFreezes().map(freezeView) })),
    serve(createFreeze, async ({ body, actor }) => {
      const { for: forMs, comment, ...scope } = body;
      const by = { ...who(actor, forMs), comment };
      return freezeView(await withProblems(operations.freeze(scope, by)));
    }),
    serve(removeFreeze, async ({ query, actor }) => {
      const removed = await withProblems(operations.unfreeze(scopeOf(query), who(actor)));
      const detail = "there is no such freeze: GET /v1/freezes lists them";
      if (!removed) throw new ProblemError(404, "no-such-freeze", detail);
    }),
    serve(resumeHalted, async ({ body, actor }) => {
      const { queue, source } = body;
      const which = {
        queue,
        source,
      };
      return { resumed: await withProblems(operations.resumeHalted(which, who(actor))) };
    }),
  ];
}
