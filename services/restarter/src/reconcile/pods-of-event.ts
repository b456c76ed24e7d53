import { apiPath } from "@rollcast/kube/api-path";
import { KubeError } from "@rollcast/kube/client";
import { listPages } from "@rollcast/kube/list";
import type { KubeObject } from "@rollcast/kube/object";
import { nameLeft, podSelector } from "@rollcast/kube/workloads/pods";
import { describeStuck } from "@rollcast/kube/workloads/stuck-pods";
import { isAborted } from "@rollcast/shared/errors";
import { cutReasons } from "@rollcast/shared/event-envelope";
import type { Context } from "../context.ts";
import { MARKER } from "../model/content.ts";
import type { OutboxEvent } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";

/** More pods than this do not help. */
const MAX_PODS = 1_000;
/** Pages are small: many rollouts may hang at once, and pods come whole. */
const LIMITS = { pageLimit: 50, pageBytes: 524_288, timeoutMs: 5_000 };

/** Whether an event can say more than its workload's status has, by a look at the pods. */
export function asksForPods({ outcome, data: { reason } }: OutboxEvent): boolean {
  if (outcome === "succeeded") return reason === "OnDelete";
  return outcome === "stalled" || (outcome === "failed" && reason === "ProgressDeadlineExceeded");
}

/**
 * The event with what its workload's pods say: which of them wait for their owner to delete them
 * (`OnDelete`), or what keeps them from being ready. It is one list of the workload's pods, for
 * such an event only; where it fails, or takes longer than 5 s, the event goes out without.
 */
export async function withPods(ctx: Context, event: OutboxEvent): Promise<OutboxEvent> {
  const { workload: ref, message = "" } = event.data;
  const look = event.outcome === "succeeded" ? leftOf : stuckOf;
  try {
    const description = await look(ctx, ref, AbortSignal.timeout(LIMITS.timeoutMs));
    if (description === undefined) return event;
    const isAdded = event.outcome !== "succeeded" && message !== "";
    const text = isAdded ? `${message.replace(/\.?$/, ".")} ${description}` : description;
    return { ...event, data: cutReasons({ ...event.data, message: text }) };
  } catch (err) {
    if (!(err instanceof KubeError) && !isAborted(err)) throw err;
    ctx.logger.warn({ err, workload: ref }, "listing pods failed, event has no pod names");
    return event;
  }
}

type Ref = OutboxEvent["data"]["workload"];

async function leftOf(ctx: Context, ref: Ref, signal: AbortSignal): Promise<string | undefined> {
  const { leftPods: selector, marker } = ctx.index.get(workloadKey(ref)) ?? {};
  if (selector === undefined || marker === undefined) return undefined;
  const pods = await podsOf(ctx, ref, { selector, metadataOnly: true, signal });
  const metas = pods?.map(({ metadata }) => metadata);
  return metas && nameLeft(metas, { name: MARKER, value: marker });
}

async function stuckOf(ctx: Context, ref: Ref, signal: AbortSignal): Promise<string | undefined> {
  const kind = ctx.kinds.get(ref.kind);
  if (kind === undefined) return undefined;
  const path = apiPath(kind, ref.namespace, ref.name);
  const object = await ctx.kube.request<KubeObject>({ method: "GET", path, signal });
  const selector = podSelector(object);
  if (selector === undefined || object.metadata.uid !== ref.uid) return undefined;
  const pods = await podsOf(ctx, ref, { selector, metadataOnly: false, signal });
  return pods && describeStuck(object, pods);
}

type PodQuery = {
  readonly selector: string;
  readonly metadataOnly: boolean;
  readonly signal: AbortSignal;
};

/** The pods of a workload, or of its ReplicaSets; undefined where they are too many to name. */
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
  const pods: KubeObject[] = [];
  const transform = ({ metadata, status }: KubeObject) => ({ metadata, status });
  const pages = listPages({ client: ctx.kube, resource, transform, limits: LIMITS, signal });
  for await (const { items } of pages) {
    pods.push(...items);
    if (pods.length > MAX_PODS) return undefined;
  }
  return pods.filter(({ metadata }) => metadata.ownerReferences?.some(isOf(ref)));
}

type Owner = { readonly kind: string; readonly name: string; readonly uid: string };

/** Whether a pod's owner is the workload, or one of its ReplicaSets by their names. */
function isOf(ref: Ref) {
  return ({ kind, name, uid }: Owner) =>
    uid === ref.uid || (kind === "ReplicaSet" && name.startsWith(`${ref.name}-`));
}
