import { apiPath } from "@rollcast/kube/api-path";
import { KubeError } from "@rollcast/kube/client";
import { listPages } from "@rollcast/kube/list";
import { dig, parseTime } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import { job } from "@rollcast/kube/workloads/job";
import { JOB_NAME, isJobName } from "@rollcast/kube/workloads/manifest";
import { ownsPodsOf } from "@rollcast/kube/workloads/pod-owner";
import { nameLeft, podSelector } from "@rollcast/kube/workloads/pods";
import { REFUSED_POD, describeRefused, lastRefused } from "@rollcast/kube/workloads/refused-pods";
import { describeStuck } from "@rollcast/kube/workloads/stuck-pods";
import { isAborted } from "@rollcast/shared/errors";
import { cutReasons } from "@rollcast/shared/event-envelope";
import type { Context } from "../context.ts";
import { MARKER } from "../model/content.ts";
import type { OutboxEvent } from "../model/workload-record.ts";
import { isMadeOf, workloadKey } from "../model/workload.ts";
import type { Workload } from "../model/workload.ts";

/** More pods than this do not help. */
const MAX_LISTED = 1_000;
/** Pages are small: many rollouts may hang at once, and pods come whole. */
const LIMITS = { pageLimit: 50, pageBytes: 524_288, timeoutMs: 5_000 };

/** Reasons of failures that say of the time only: of a Deployment, and of a Job. */
const LATE = new Set(["ProgressDeadlineExceeded", "DeadlineExceeded"]);

/** Whether an event can say more than its workload's status has, by a look at the pods. */
export function asksForPods({ outcome, data: { reason } }: OutboxEvent): boolean {
  if (outcome === "succeeded") return reason === "OnDelete";
  return outcome === "stalled" || (outcome === "failed" && LATE.has(reason ?? ""));
}

/**
 * The event with what its workload's pods say: which of them wait for their owner to delete them
 * (`OnDelete`), or what keeps them from being ready or made. It is one list of the workload's pods,
 * and one of its Events, for such an event only; what fails, or takes longer than 5 s, is left out.
 */
export async function withPods(ctx: Context, event: OutboxEvent): Promise<OutboxEvent> {
  const { message = "" } = event.data;
  const isSuccess = event.outcome === "succeeded";
  const signal = AbortSignal.timeout(LIMITS.timeoutMs);
  const looks = isSuccess ? [leftOf] : [refusedOf, stuckOf];
  const { workload } = event.data;
  const looked = await Promise.all(
    looks.map((look) => attempt(ctx, workload, look(ctx, event, signal))),
  );
  const descriptions = looked.map((text) => text ?? "").filter((text) => text !== "");
  if (descriptions.length === 0) return event;
  const sentences = isSuccess || message === "" ? descriptions : [message, ...descriptions];
  const text = sentences.map((sentence) => sentence.replace(/\.$/, "")).join(". ");
  return { ...event, data: cutReasons({ ...event.data, message: text }) };
}

type Look = (ctx: Context, event: OutboxEvent, signal: AbortSignal) => Promise<string | undefined>;

/** What a look finds; undefined where the API server does not say it in time. */
async function attempt<T>(
  ctx: Context,
  { kind, namespace, name }: Omit<Ref, "uid">,
  look: Promise<T>,
): Promise<T | undefined> {
  try {
    return await look;
  } catch (err) {
    if (!(err instanceof KubeError) && !isAborted(err)) throw err;
    const workload = { kind, namespace, name };
    ctx.logger.warn({ err, workload }, "a look at pods failed");
    return undefined;
  }
}

type Ref = OutboxEvent["data"]["workload"];

/** Pods that have ended stay where they are, as those that were evicted. */
const RUNNING = "status.phase!=Succeeded,status.phase!=Failed";

/**
 * The pods of a workload that run and are not on their way out; undefined where that cannot be said
 * within 5 s, as where they are too many.
 */
async function stayingPods(ctx: Context, workload: Workload, metadataOnly: boolean) {
  const pods = await attempt(ctx, workload, runningPods(ctx, workload, metadataOnly));
  return pods?.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

function createdAt({ metadata }: KubeObject): number {
  return parseTime(metadata.creationTimestamp) ?? 0;
}

/** A container reads its sources when it starts, which may be long after its pod is created. */
type ContainerStatus = {
  readonly state?: {
    readonly running?: { readonly startedAt?: string };
    readonly terminated?: { readonly startedAt?: string };
  };
};

/** When the containers of a pod began; its creation counts while not all are known to have. */
function beganTimes(pod: KubeObject): number[] {
  const statuses = (name: string) => (dig(pod.status, name) ?? []) as readonly ContainerStatus[];
  const containers = statuses("containerStatuses");
  const times = [...statuses("initContainerStatuses"), ...containers].map(({ state }) =>
    parseTime(state?.running?.startedAt ?? state?.terminated?.startedAt),
  );
  const started = times.filter((time) => time !== undefined);
  const isWhole = containers.length > 0 && started.length === times.length;
  return isWhole ? started : [createdAt(pod), ...started];
}

/**
 * When the oldest pod of a workload was created, and where there are none `editedAt`. What cannot
 * be said may have been as early as `since`.
 */
export async function podsBeganAt(ctx: Context, workload: Workload, since: number) {
  const pods = await stayingPods(ctx, workload, true);
  if (pods === undefined) return since;
  return Math.max(since, Math.min(workload.editedAt ?? since, ...pods.map(createdAt)));
}

/** Whether a container of these pods may have begun between two times. */
export async function mayHaveBegun(
  ctx: Context,
  workload: Workload,
  { since, until }: { readonly since: number; readonly until: number },
): Promise<boolean> {
  const pods = await stayingPods(ctx, workload, false);
  const isBetween = (time: number) => time > since - SECOND_MS && time <= until;
  return pods?.some((pod) => beganTimes(pod).some(isBetween)) ?? true;
}

/** Times of Kubernetes have whole seconds. */
const SECOND_MS = 1_000;

async function runningPods(
  ctx: Context,
  { kind, namespace, name, uid }: Workload,
  metadataOnly: boolean,
) {
  const watchedKind = kind === job.kind ? job : ctx.kinds.get(kind);
  if (watchedKind === undefined) return undefined;
  const signal = AbortSignal.timeout(LIMITS.timeoutMs);
  const path = apiPath(watchedKind, namespace, name);
  const object = await ctx.kube.request<KubeObject>({ method: "GET", path, signal });
  const selector = podSelector(object);
  if (selector === undefined) return undefined;
  // What a Job has run with is what those began with that have ended.
  const fieldSelector = kind === job.kind ? undefined : RUNNING;
  const query = { selector, fieldSelector, metadataOnly, signal };
  return podsOf(ctx, { kind, namespace, name, uid }, query);
}

const leftOf: Look = async (ctx, { data: { workload: ref } }, signal) => {
  const { leftPods: selector, marker } = ctx.index.get(workloadKey(ref)) ?? {};
  if (selector === undefined || marker === undefined) return undefined;
  const pods = await podsOf(ctx, ref, { selector, metadataOnly: true, signal });
  const metas = pods?.map(({ metadata }) => metadata);
  return metas && nameLeft(metas, { name: MARKER, value: marker });
};

const stuckOf: Look = async (ctx, { data: { workload: ref } }, signal) => {
  const kind = ctx.kinds.get(ref.kind);
  if (kind === undefined) return undefined;
  const path = apiPath(kind, ref.namespace, ref.name);
  const object = await ctx.kube.request<KubeObject>({ method: "GET", path, signal });
  // Those of a CronJob are its Jobs', whose selectors nobody but their controller reads.
  const selector = kind.kind === "CronJob" ? JOB_NAME : podSelector(object);
  if (selector === undefined || object.metadata.uid !== ref.uid) return undefined;
  const pods = await podsOf(ctx, ref, { selector, metadataOnly: false, signal });
  return pods && describeStuck(object, pods);
};

/** Controllers that make pods themselves tell it in Events of their workload. */
const refusedOf: Look = async (ctx, { time, data }, signal) => {
  const { workload: ref, durationMs = 0 } = data;
  // Which of its Jobs a CronJob's rollout is about, their names say well enough.
  const about = ref.kind === "CronJob" ? "regarding.kind=Job" : `regarding.uid=${ref.uid}`;
  const resource = {
    group: "events.k8s.io",
    version: "v1",
    plural: "events",
    namespace: ref.namespace,
    fieldSelector: `reason=${REFUSED_POD},${about}`,
  };
  const transform = (event: KubeObject) => event;
  const list = { client: ctx.kube, resource, transform, signal, limits: LIMITS };
  let last: KubeObject | undefined;
  for await (const { items } of listPages(list)) {
    const before = last === undefined ? [] : [last];
    last = lastRefused([...before, ...items.filter(isAbout(ref))]);
  }
  return last && describeRefused(last, time - durationMs);
};

function isAbout(ref: Ref) {
  return (event: KubeObject) =>
    ref.kind !== "CronJob" || isJobName(ref.name, String(dig(event, "regarding", "name")));
}

type PodQuery = {
  readonly selector: string;
  readonly fieldSelector?: string;
  readonly metadataOnly: boolean;
  readonly signal: AbortSignal;
};

/**
 * Who else has the pods of a rollout: with `workloadRef` the referrer, and what the controller of a
 * custom resource makes of it. Jobs began with what was there then.
 */
function* otherMakers({ index, kinds }: Context, ref: Ref) {
  const { referrer } = index.get(workloadKey(ref)) ?? {};
  if (referrer !== undefined) yield referrer;
  const group = kinds.get(ref.kind)?.group;
  for (const made of index.all()) {
    const isOwn = isMadeOf(ref, made) && made.owner?.group === group;
    if (isOwn && made.kind !== "Job") yield made;
  }
}

/** The pods of a workload's rollout; undefined where they are too many to name. */
async function podsOf(
  ctx: Context,
  ref: Ref,
  { selector, fieldSelector, metadataOnly, signal }: PodQuery,
): Promise<KubeObject[] | undefined> {
  const { namespace } = ref;
  const resource = {
    group: "",
    version: "v1",
    plural: "pods",
    namespace,
    labelSelector: selector,
    fieldSelector,
    metadataOnly,
  };
  const transform = ({ metadata, spec, status }: KubeObject) => {
    return { metadata, spec: { nodeName: dig(spec, "nodeName") }, status };
  };
  const list = { client: ctx.kube, resource, transform, signal, limits: LIMITS };
  const isOwner = ownsPodsOf(ref, [...otherMakers(ctx, ref)]);
  const pods: KubeObject[] = [];
  for await (const { items } of listPages(list)) {
    pods.push(...items.filter(({ metadata }) => metadata.ownerReferences?.some(isOwner)));
    if (pods.length > MAX_LISTED) return undefined;
  }
  return pods;
}
