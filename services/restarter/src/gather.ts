import { apiPath } from "@rollcast/kube/patch";
import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import type { Entry } from "@rollcast/shared/nats/kv";
import type { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import type { SourceKey } from "./content.ts";
import { clock, newId, splitKey } from "./context.ts";
import type { Context } from "./context.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decide.ts";
import type { Situation } from "./situation.ts";
import { watchedSources } from "./policy.ts";
import type { WorkloadRecord } from "./record.ts";
import { projectWorkload, workloadKey } from "./workload.ts";
import type { Workload, WorkloadKey } from "./workload.ts";

/** Reads of sources that belong together, each read once. */
export type SourceReads = Map<SourceKey, Promise<SourceRecord | undefined>>;

function readSource(ctx: Context, key: SourceKey, reads: SourceReads) {
  const before = reads.get(key);
  if (before !== undefined) return before;
  const [kind = "", namespace = "", name = ""] = key.split("/");
  const read = ctx.sources
    .get(recordKey(ctx.cluster, { kind, namespace, name }))
    .then((entry) => entry?.value);
  reads.set(key, read);
  return read;
}

/** A decision and what it was made on. */
export type Assessment = {
  readonly decision: Decision;
  readonly situation: Situation;
  readonly entry: Entry<WorkloadRecord> | undefined;
};

/** Reads the record and the present sources of a workload and decides. Sees every write that was acknowledged before the call. */
export async function assess(
  ctx: Context,
  workload: Workload,
  trusted = false,
  reads: SourceReads = new Map(),
): Promise<Assessment> {
  const keys = [...new Set(watchedSources(workload))];
  const [entry, ...found] = await Promise.all([
    ctx.records.get(recordKey(ctx.cluster, workload)),
    ...keys.map((key) => readSource(ctx, key, reads)),
  ]);
  const situation: Situation = {
    workload,
    record: entry?.value,
    sources: new Map(keys.map((key, i) => [key, found[i]])),
    installedAt: ctx.installedAt,
    now: clock(),
    mode: ctx.mode,
    breaker: ctx.breaker,
    stalledAfterMs: ctx.stalledAfterMs,
    newId: newId(),
    trusted,
  };
  return { decision: decide(situation), situation, entry };
}

/** The workload as the API server itself says, put into the index; undefined where it is gone. */
export async function askCluster(ctx: Context, key: WorkloadKey): Promise<Workload | undefined> {
  const { kind, namespace, name } = splitKey(key);
  const known = ctx.kinds.get(kind);
  if (known === undefined) return undefined;
  try {
    const path = apiPath(known, namespace, name);
    const object = await ctx.kube.request<KubeObject>({ method: "GET", path });
    const workload = projectWorkload(known, object);
    ctx.index.apply(workload);
    return ctx.index.get(workloadKey(workload)) ?? workload;
  } catch (err) {
    if (!(err instanceof KubeError) || err.status !== 404) throw err;
    ctx.index.forget(key);
    return undefined;
  }
}

const CATCH_UP_MS = 2_000;

/**
 * Like {@link assess}, and where the index is behind the record, waits for it, then asks the API server, whose word decides (a restored cluster may have
 * gone back). Undefined where the workload is gone.
 */
export async function assessFresh(ctx: Context, key: WorkloadKey): Promise<Assessment | undefined> {
  const deadline = clock() + CATCH_UP_MS;
  for (;;) {
    const workload = ctx.index.get(key);
    const assessment = workload === undefined ? undefined : await assess(ctx, workload);
    if (assessment !== undefined && assessment.decision.do !== "look-again") return assessment;
    const ask = assessment?.decision.do !== "look-again" || assessment.decision.ask;
    const wait = deadline - clock();
    if (!ask && wait > 0 && (await ctx.index.nextChange(key, wait))) continue;
    const asked = await askCluster(ctx, key);
    return asked === undefined ? undefined : assess(ctx, asked, true);
  }
}
