import { SpanKind, carried } from "@rollcast/runtime/trace";
import type { TraceOptions } from "@rollcast/runtime/trace";
import { splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import type { DueRollout } from "../reconcile/evaluate.ts";
import type { Attempt } from "./attempt.ts";
import { attributesOf } from "../events/spans.ts";

/** The traces of the sources whose content the rollout brings, the cause first. */
function causes({ decision, input }: DueRollout): (string | undefined)[] {
  const { running, rollout } = decision.record;
  const keys = Object.keys(rollout.wanted) as SourceKey[];
  const changed = keys.filter((key) => rollout.wanted[key]?.digest !== running[key]?.digest);
  const isCause = (key: SourceKey) => splitSourceKey(key).name === rollout.cause?.name;
  return changed
    .toSorted((a, b) => Number(isCause(b)) - Number(isCause(a)))
    .map((key) => input.sources.get(key)?.traceparent);
}

/**
 * Follows from the trace that enqueued the job, else from its cause; linked to the other changes.
 */
export function rollSpan(due: DueRollout, { traceparent }: Attempt): TraceOptions {
  const links = causes(due).filter((link) => link !== undefined);
  const parent = traceparent ?? links[0];
  const attributes = attributesOf(due.input.workload);
  const traceId = parent?.split("-")[1];
  const others = links.filter((link) => link.split("-")[1] !== traceId);
  return { kind: SpanKind.CONSUMER, parent, links: others, attributes };
}

/** The same, with the present span stored in its rollout if not yet written. */
export function withSpan(due: DueRollout): DueRollout {
  const { decision } = due;
  if (!decision.changed) return due;
  const { record } = decision;
  const rollout = { ...record.rollout, ...carried() };
  return { ...due, decision: { ...decision, record: { ...record, rollout } } };
}
