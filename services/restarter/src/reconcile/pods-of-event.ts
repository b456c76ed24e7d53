import { apiPath } from "@rollcast/kube/api-path";
import { KubeError } from "@rollcast/kube/client";
import { listPages } from "@rollcast/kube/list";
import { dig } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
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
  const looked = await Promise.all(looks.map((look) => attempt(ctx, event, look, signal)));
  const descriptions = looked.filter((text) => text !== "");
  if (descriptions.length === 0) return event;
  const sentences = isSuccess || message === "" ? descriptions : [message, ...descriptions];
  const text = sentences.map((sentence) => sentence.replace(/\.$/, "")).join(". ");
  return { ...event, data: cutReasons({ ...event.data, message: text }) };
}

type Look = (ctx: Context, event: OutboxEvent, signal: AbortSignal) => Promise<string | undefined>;

async function attempt(
  ctx: Context,
  event: OutboxEvent,
  look: Look,
  signal: AbortSignal,
): Promise<string> {
  try {
    return (await look(ctx, event, signal)) ?? "";
  } catch (err) {
    if (!(err instanceof KubeError) && !isAborted(err)) throw err;
    const { workload } = event.data;
    ctx.logger.warn({ err, workload }, "a look at pods failed, the event says nothing of them");
    return "";
  }
}

type Ref = OutboxEvent["data"]["workload"];

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
  { selector, metadataOnly, signal }: PodQuery,
): Promise<KubeObject[] | undefined> {
  const { namespace } = ref;
  const resource = {
    group: "",
    version: "v1",
    plural: "pods",
    namespace,
    labelSelector: selector,
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
