import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import {
  FIELD_MANAGER,
  JSON_PATCH,
  guardedAnnotations,
  guardedRestart,
} from "@rollcast/kube/patch";
import type { PatchOperation } from "@rollcast/kube/patch";
import { apiPath } from "@rollcast/kube/api-path";
import { job } from "@rollcast/kube/workloads/job";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { jobFrom } from "@rollcast/kube/workloads/manifest";
import type { Context } from "../context.ts";
import { jobNameOf } from "../decision/applied.ts";
import {
  ABSENT,
  LAST_RELOADED_FROM,
  MARKER,
  splitSourceKey,
  variableName,
} from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { ConflictError, readWorkload } from "../reconcile/evaluate.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";
import { projectWorkload } from "../index/project-workload.ts";
import type { Rules } from "../model/rules.ts";

/** The workload and its rollout after the change was applied. */
export type Applied = { readonly workload: Workload; readonly rollout: Rollout };

type Decided = WorkloadRecord & { readonly rollout: Rollout };

/**
 * Applies the rollout of a workload, once even if called repeatedly. Throws {@link KubeError}, and
 * {@link ConflictError} if the workload is not the one decided on.
 */
export function apply(
  ctx: Context,
  kind: WorkloadKind,
  workload: Workload,
  record: Decided,
): Promise<Applied> {
  return workload.rollBy === "job"
    ? runJob(ctx, kind, workload, record)
    : patchWorkload(ctx, kind, workload, record);
}

async function patchWorkload(
  ctx: Context,
  kind: WorkloadKind,
  workload: Workload,
  record: Decided,
): Promise<Applied> {
  const object = await ctx.kube.request<KubeObject>({
    method: "PATCH",
    path: apiPath(kind, workload.namespace, workload.name),
    query: { fieldManager: FIELD_MANAGER },
    contentType: JSON_PATCH,
    body:
      workload.rollBy === "restart"
        ? guardedRestart(workload, record.rollout.marker)
        : templatePatch({ kind, workload, record, rules: ctx.rules }),
    timeoutMs: WRITE_MS,
  });
  const patched = projectWorkload(kind, object, ctx.rules);
  // What admission changed in this request is part of it.
  const rollout = { ...record.rollout, templateHash: patched.templateHash };
  return { workload: patched, rollout };
}

/** Runs a Job from the template of a CronJob. */
async function runJob(
  ctx: Context,
  kind: WorkloadKind,
  workload: Workload,
  { rollout }: Decided,
): Promise<Applied> {
  const { namespace } = workload;
  const path = apiPath(kind, namespace, workload.name);
  const cronJob = await ctx.kube.request<KubeObject>({ method: "GET", path });
  if (cronJob.metadata.uid !== workload.uid) {
    await readWorkload(ctx, workloadKey(workload));
    throw new ConflictError("the CronJob was made again");
  }
  const name = jobNameOf(workload, rollout);
  const marks = { marker: { name: MARKER, value: rollout.marker }, rollout: rollout.id };
  const made = await createJob(ctx, namespace, jobFrom(cronJob, name, marks));
  const projected = projectWorkload(job, made, ctx.rules);
  const ours = projected.madeBy === rollout.id && projected.owner?.name === workload.name;
  if (!ours) throw new KubeError(422, "NameTaken", "another Job has this one's name");
  return { workload, rollout: { ...rollout, job: name } };
}

type Patched = {
  readonly kind: WorkloadKind;
  readonly workload: Workload;
  readonly record: WorkloadRecord & { readonly rollout: Rollout };
  readonly rules: Pick<Rules, "strategy">;
};

/** A variable to write: its container and value. */
type Variable = { readonly container: number; readonly name: string; readonly value: string };

function targetOf({ workload }: Patched, key: SourceKey): number {
  const { kind, name } = splitSourceKey(key);
  return workload.marks.targets[`${kind}/${name}`] ?? 0;
}

/** A variable for each changed source; the others keep theirs. */
function variables(patched: Patched): Variable[] {
  const { record } = patched;
  const wanted = Object.entries(record.rollout.wanted) as [SourceKey, Content][];
  return wanted
    .filter(([key, { digest }]) => digest !== ABSENT && digest !== record.running[key]?.digest)
    .map(([key, { digest }]) => {
      const { kind, name } = splitSourceKey(key);
      return { container: targetOf(patched, key), name: variableName(kind, name), value: digest };
    });
}

/** Which of our variables still have a source, as `<container>/<name>`. */
function alive(patched: Patched): Set<string> {
  const wanted = Object.entries(patched.record.rollout.wanted) as [SourceKey, Content][];
  return new Set(
    wanted
      .filter(([, { digest }]) => digest !== ABSENT)
      .map(([key]) => {
        const { kind, name } = splitSourceKey(key);
        return `${targetOf(patched, key)}/${variableName(kind, name)}`;
      }),
  );
}

/**
 * Writes and removes variables. The order keeps indices valid: replacements, additions at the end,
 * then removals from the last one backwards.
 */
function variableOperations(patched: Patched): PatchOperation[] {
  const { kind, workload, rules } = patched;
  const writing = rules.strategy === "reloader-env-vars";
  const written = writing ? variables(patched) : [];
  const kept = writing ? alive(patched) : new Set<string>();
  return workload.marks.containers.flatMap((container, at) => {
    const env = `${kind.templatePath}/spec/containers/${at}/env`;
    const replaced: PatchOperation[] = [];
    const added: PatchOperation[] = [];
    for (const { name, value } of written.filter((variable) => variable.container === at)) {
      const there = container.variables.find((variable) => variable.name === name);
      if (there !== undefined) {
        replaced.push({ op: "replace", path: `${env}/${there.index}`, value: { name, value } });
      } else added.push({ op: "add", path: `${env}/-`, value: { name, value } });
    }
    if (added.length > 0 && !container.hasEnv) added.unshift({ op: "add", path: env, value: [] });
    const removed = container.variables
      .filter(({ name, ours }) => !kept.has(`${at}/${name}`) && (ours || !writing))
      .toReversed()
      .map(({ index }): PatchOperation => ({ op: "remove", path: `${env}/${index}` }));
    return [...replaced, ...added, ...removed];
  });
}

/**
 * Reloader's annotation in its own form: the source that caused the rollout, our digest as its
 * hash, and when the source changed (Unix seconds), so that writing it again changes nothing.
 */
function lastReloadedFrom({ workload, record }: Patched): string | undefined {
  const { cause, wanted, changedAt, decidedAt } = record.rollout;
  if (cause === undefined) return undefined;
  const { kind, namespace, name } = cause;
  const hash = wanted[`${kind}/${namespace}/${name}`]?.digest ?? "";
  const container = workload.marks.containers[workload.marks.targets[`${kind}/${name}`] ?? 0];
  return JSON.stringify({
    type: kind.toUpperCase(),
    name,
    namespace,
    hash: hash === ABSENT ? "" : hash,
    containerRefs: container === undefined ? [] : [container.name],
    observedAt: Math.floor((changedAt ?? decidedAt) / 1_000),
  });
}

/**
 * The single patch of a rollout: our marker, and the marks of the configured Reloader strategy. It
 * also removes marks of strategies no longer in use, including Reloader's own, because the pods
 * restart anyway. Guarded by the workload's generation.
 */
export function templatePatch(patched: Patched): PatchOperation[] {
  const { kind, workload, record, rules } = patched;
  const annotations: Record<string, string> = { [MARKER]: record.rollout.marker };
  const removed: string[] = [];
  if (rules.strategy === "reloader-annotations") {
    const text = lastReloadedFrom(patched);
    if (text !== undefined) annotations[LAST_RELOADED_FROM] = text;
  } else if (workload.marks.lastReloadedFrom !== "none") removed.push(LAST_RELOADED_FROM);
  return guardedAnnotations(kind, workload, {
    annotations,
    removed,
    more: variableOperations(patched),
  });
}

/** The API server's time limit for one write, in milliseconds. */
const WRITE_MS = 15_000;

/**
 * Creates a Job; returns the existing one if its name is in use. Throws {@link KubeError}, also
 * where its name is said to be in use and is not.
 */
export async function createJob(
  ctx: Context,
  namespace: string,
  body: unknown,
): Promise<KubeObject> {
  const { name } = (body as KubeObject).metadata;
  for (let attempt = 1; ; attempt++) {
    try {
      return await ctx.kube.request<KubeObject>({
        method: "POST",
        path: apiPath(job, namespace),
        query: { fieldManager: FIELD_MANAGER },
        body,
        timeoutMs: WRITE_MS,
      });
    } catch (err) {
      if (!(err instanceof KubeError) || err.reason !== "AlreadyExists") throw err;
      const existing = await readJob(ctx, namespace, name);
      if (existing !== undefined) return existing;
      // It has just gone; the second time, only a webhook says that it is there.
      if (attempt > 1) throw err;
    }
  }
}

/** Undefined if it is gone. */
async function readJob(
  ctx: Context,
  namespace: string,
  name: string,
): Promise<KubeObject | undefined> {
  try {
    return await ctx.kube.request<KubeObject>({
      path: apiPath(job, namespace, name),
      method: "GET",
    });
  } catch (err) {
    if (!(err instanceof KubeError) || err.status !== 404) throw err;
    return undefined;
  }
}
