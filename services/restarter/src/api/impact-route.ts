import { ProblemError } from "@rollcast/shared/api/problem";
import { paginate } from "@rollcast/shared/api/page";
import { getImpact } from "@rollcast/shared/api/workload-routes";
import { serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import { KubeError } from "@rollcast/kube/client";
import { TerminalError } from "@rollcast/shared/errors";
import { recordKey } from "@rollcast/shared/subjects";
import type { ObjectRef } from "@rollcast/shared/subjects";
import { mapLimit } from "@rollcast/async/map-limit";
import type { z } from "zod";
import type { DecisionView } from "@rollcast/shared/api/workload-views";
import { WHOLE_OBJECT } from "@rollcast/shared/records";
import type { SourceRecord } from "@rollcast/shared/records";
import { sourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { evaluate } from "../reconcile/evaluate.ts";
import type { SourceReads } from "../reconcile/evaluate.ts";
import { candidates } from "../model/workload.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import type { Context } from "../context.ts";
import type { ApiContext } from "./api-context.ts";
import { decide } from "../decision/decide.ts";
import { presentContents, verdict, verdicts } from "../model/verdict.ts";
import type { DecisionInput } from "../decision/decision.ts";
import { decisionView } from "./view.ts";
import { untilSynced } from "./workload-routes.ts";

const CONCURRENCY = 16;
const MAX_KEYS = 100;

function splitKeys(keys: string | undefined): string[] | undefined {
  if (keys === undefined) return undefined;
  const names = keys
    .split(",")
    .map((key) => key.trim())
    .filter((key) => key !== "");
  if (names.length > 0 && names.length <= MAX_KEYS) return names;
  const detail = `keys must name 1 to ${MAX_KEYS} keys, separated by commas`;
  throw new ProblemError(400, "bad-request", detail);
}

/** `GET /v1/impact`. */
export function impactRoute({ ctx }: ApiContext): ApiRoute {
  return serve(getImpact, async ({ query }) => {
    const { kind, namespace, name } = query;
    const keys = splitKeys(query.keys);
    const source = { kind, namespace, name };
    const exists = await isPresent(ctx, source);
    const key = sourceKey(kind, namespace, name);
    const users = ctx.index.usersOf(key);
    const page = paginate(users, workloadKey, query);
    const reads: SourceReads = new Map();
    await untilSynced(ctx);
    const items = await mapLimit(page.items, CONCURRENCY, async (workload) => {
      if (candidates(ctx.names, workload).left.includes(key)) return passedOver(workload);
      try {
        const { input } = await evaluate(ctx, workload, true, reads);
        return impactOn(input, source, keys);
      } catch (err) {
        if (!(err instanceof TerminalError || err instanceof KubeError)) throw err;
        return unknownImpact(workload, err.message);
      }
    });
    return { ...page, items, source, exists };
  });
}

/** Whether the watcher has a record of the source, where it can be read one of its presence. */
async function isPresent(ctx: Context, source: ObjectRef): Promise<boolean> {
  try {
    const record = await ctx.sources.get(recordKey(ctx.cluster, source));
    return record !== undefined && record.value.deletedAt === undefined;
  } catch (err) {
    if (err instanceof TerminalError) return true;
    throw err;
  }
}

/** Its own trouble, which says nothing of the others. */
function unknownImpact({ kind, namespace, name }: Workload, message: string): Impacted {
  return { kind, namespace, name, would: "unknown", check: "unreadable", message };
}

/** There is no room for the source among those that the workload's patterns match. */
function passedOver({ kind, namespace, name }: Workload): Impacted {
  const message = "its patterns match more sources than there is room for, and pass this one over";
  return { kind, namespace, name, would: "keep", check: "named", message };
}

type Answer = z.input<NonNullable<typeof getImpact.response>>;
type Impacted = Answer["items"][number];

/** A digest that no content has. */
const OTHER = "another content";

/** The source as it would be after a change of these keys (default: all), observed `now`. */
function changed(
  key: SourceKey,
  before: SourceRecord | undefined,
  keys: readonly string[] | undefined,
  now: number,
): SourceRecord {
  const [kind = "", namespace = "", name = ""] = key.split("/");
  const { deletedAt: _, ...base } = before ?? {
    v: 1,
    kind: kind as SourceRecord["kind"],
    namespace,
    name,
    uid: "",
    resourceVersion: "0",
    keyId: "0",
    digests: {},
    state: "published",
    change: "created",
    createdAt: now,
    annotations: {},
  };
  const changedKeys = keys ?? [WHOLE_OBJECT, ...Object.keys(base.digests)];
  // An object with too many keys has one digest for all of them.
  const whole = Object.hasOwn(base.digests, WHOLE_OBJECT) ? [WHOLE_OBJECT] : [];
  const others = [...changedKeys, ...whole].map((usedKey) => [usedKey, OTHER] as const);
  const digests = Object.fromEntries([...Object.entries(base.digests), ...others]);
  const exists = before !== undefined && before.deletedAt === undefined;
  if (!exists) return { ...base, digests, change: "created" };
  return { ...base, digests, change: "changed", changedAt: now, changedWithin: 0 };
}

/**
 * What the workload would do if the source changed now, by the same checks and decision as for a
 * real change. Pure.
 */
export function impactOn(
  s: DecisionInput,
  source: { readonly kind: string; readonly namespace: string; readonly name: string },
  keys: readonly string[] | undefined,
): Impacted {
  const { kind, namespace, name } = s.workload;
  const key = sourceKey(source.kind, source.namespace, source.name);
  const record = changed(key, s.sources.get(key), keys, s.now);
  const sources = new Map(s.sources).set(key, record);
  const { roll, check, message } = verdict({
    rules: s.rules,
    workload: s.workload,
    source: { ...source, kind: record.kind },
    record,
  });
  const about = { kind, namespace, name, check, message };
  if (!roll) return { ...about, would: "keep" };
  const verdictBySource = verdicts(s.workload, sources, s.rules);
  const used = presentContents(s.workload, sources, verdictBySource)[key]?.keys ?? "*";
  const usedKeys = { keys: used === "*" ? used : [...used] };
  if (keys !== undefined && used !== "*" && !keys.some((usedKey) => used.includes(usedKey))) {
    const words = `the workload uses only other keys: ${used.join(", ")}`;
    return { ...about, ...usedKeys, would: "keep", check: "other-keys", message: words };
  }
  // First applies what is due today, so that only this change is evaluated.
  const today = decide({ ...s, trusted: true });
  const current = today.do === "requeue" ? s : { ...s, record: today.record };
  const next = decisionView(decide({ ...current, sources, trusted: true }), s.workload);
  return {
    ...about,
    ...usedKeys,
    message: [message, ...why(next, record)].join("; "),
    would: next.do === "requeue" ? "roll" : next.do,
    at: next.at,
  };
}

function why(next: DecisionView, record: SourceRecord): string[] {
  if (next.do === "keep" && record.change === "created") {
    return ["the source would be created, which rolls nothing unless reload.onCreate says so"];
  }
  const text = next.message ?? next.reason;
  return text === undefined ? [] : [text];
}
