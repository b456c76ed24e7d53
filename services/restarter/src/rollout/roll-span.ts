import { carried } from "@rollcast/runtime/trace";
import type { SpanOptions } from "@rollcast/runtime/trace";
import { splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import type { Evaluation } from "../reconcile/evaluate.ts";
import type { Attempt } from "./attempt.ts";
import { attributesOf } from "../events/spans.ts";

/** The traces of the sources whose content the rollout brings, its cause first. */
function causes({ decision, input }: Evaluation): (string | undefined)[] {
  if (decision.do !== "roll") return [];
  const { running, rollout } = decision.record;
  const keys = Object.keys(rollout.wanted) as SourceKey[];
  const changed = keys.filter((key) => rollout.wanted[key]?.digest !== running[key]?.digest);
  const isCause = (key: SourceKey) => splitSourceKey(key).name === rollout.cause?.name;
  return changed
    .toSorted((a, b) => Number(isCause(b)) - Number(isCause(a)))
    .map((key) => input.sources.get(key)?.traceparent);
}

/** Follows from what asked for the turn, else from its cause; linked to the other changes that it brings. */
export function rollSpan(evaluation: Evaluation, { traceparent }: Attempt): SpanOptions {
  const links = causes(evaluation).filter((one) => one !== undefined);
  const parent = traceparent ?? links[0];
  const attributes = attributesOf(evaluation.input.workload);
  const traceId = parent?.split("-")[1];
  const others = links.filter((one) => one.split("-")[1] !== traceId);
  return { kind: "consumer", parent, links: others, attributes };
}

/** The assessment whose rollout keeps the span that is under way, where it is not written yet. */
export function withSpan(evaluation: Evaluation): Evaluation {
  const { decision } = evaluation;
  if (decision.do !== "roll" || !decision.changed) return evaluation;
  const { record } = decision;
  const rollout = { ...record.rollout, ...carried() };
  return { ...evaluation, decision: { ...decision, record: { ...record, rollout } } };
}
