import { KubeError } from "@rollcast/kube/client";
import { listPages } from "@rollcast/kube/list";
import type { ObjectMeta } from "@rollcast/kube/object";
import { nameLeft } from "@rollcast/kube/workloads/pods";
import type { Context } from "../context.ts";
import { MAX_MESSAGE } from "../decision/outcomes.ts";
import { MARKER } from "../model/content.ts";
import type { OutboxEvent } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";

/** More names than this do not help. */
const MAX_PODS = 1_000;
const LIMITS = { pageLimit: 500, pageBytes: 1_048_576, timeoutMs: 5_000 };

/**
 * Adds pod names to the end of a rollout whose pods wait for their owner to delete them
 * (`OnDelete`): one list of the workload's pods, metadata only, for this outcome only. Without
 * permission to list pods, only their number is reported, as the workload's status has it.
 */
export async function withLeftPods(ctx: Context, event: OutboxEvent): Promise<OutboxEvent> {
  const { reason, workload: ref } = event.data;
  if (event.outcome !== "succeeded" || reason !== "OnDelete") return event;
  const workload = ctx.index.get(workloadKey(ref));
  const { leftPods: labelSelector, marker } = workload ?? {};
  if (labelSelector === undefined || marker === undefined) return event;
  const resource = {
    group: "",
    version: "v1",
    plural: "pods",
    namespace: ref.namespace,
    labelSelector,
    metadataOnly: true,
  };
  const signal = AbortSignal.timeout(LIMITS.timeoutMs);
  const transform = ({ metadata }: { metadata: ObjectMeta }) => metadata;
  try {
    const pods: ObjectMeta[] = [];
    for await (const page of listPages({
      client: ctx.kube,
      resource,
      transform,
      limits: LIMITS,
      signal,
    })) {
      pods.push(...page.items);
      if (pods.length > MAX_PODS) return event;
    }
    const own = pods.filter((pod) => pod.ownerReferences?.some((owner) => owner.uid === ref.uid));
    const message = nameLeft(own, { name: MARKER, value: marker }).slice(0, MAX_MESSAGE);
    return { ...event, data: { ...event.data, message } };
  } catch (err) {
    if (!(err instanceof KubeError)) throw err;
    ctx.logger.warn({ err, workload: ref }, "listing pods failed, event has no pod names");
    return event;
  }
}
