import { KubeError } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { stableId } from "@rollcast/shared/events";
import type { Logger } from "@rollcast/shared/logger";
import type { Outcome } from "./record.ts";

type Told = { readonly type: "Normal" | "Warning"; readonly reason: string };

/** The outcomes that somebody who looks at the workload should see, under the reasons that Reloader's users know. */
const TOLD: Readonly<Partial<Record<Outcome["word"], Told>>> = {
  started: { type: "Normal", reason: "Reloaded" },
  failed: { type: "Warning", reason: "ReloadFail" },
  throttled: { type: "Warning", reason: "ReloadThrottled" },
};

function note(outcome: Outcome): string {
  const { cause, reason, message, dueAt } = outcome.data;
  const source = cause === undefined ? "a source" : `${cause.kind} ${cause.name}`;
  if (outcome.word === "started") return `Rolled by Rollcast: ${source} changed`;
  if (outcome.word === "throttled") {
    const by = cause?.changedBy === undefined ? "" : `, written by ${cause.changedBy.manager}`;
    return `${source} changes too often${by}: next rollout at ${dueAt ?? "a later time"}`;
  }
  const why = message === undefined || message === "" ? "" : `: ${message}`;
  return `Rollout for ${source} failed (${reason ?? "unknown"})${why}`;
}

/** The `events.k8s.io/v1` object for an outcome; its name depends on the outcome's id alone, so that telling twice is one Event. */
export function kubeEvent(outcome: Outcome, kind: WorkloadKind, instance: string) {
  const told = TOLD[outcome.word];
  if (told === undefined) return undefined;
  const { workload } = outcome.data;
  const prefix = workload.name.slice(0, 200);
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: {
      name: `${prefix}.${stableId(outcome.id, outcome.word).slice(0, 16)}`,
      namespace: workload.namespace,
    },
    eventTime: `${new Date(outcome.time).toISOString().slice(0, -1)}000Z`,
    reportingController: "rollcast.dev/restarter",
    reportingInstance: instance.slice(0, 128),
    action: "Rollout",
    reason: told.reason,
    type: told.type,
    note: note(outcome).slice(0, 1_024),
    regarding: {
      apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
      kind: kind.kind,
      namespace: workload.namespace,
      name: workload.name,
      uid: workload.uid,
    },
  };
}

/** Writes outcomes as Kubernetes Events, a few at a time; what cannot be written is logged: the event stream has it anyway. */
export function createTeller(
  kube: KubeClient,
  kinds: ReadonlyMap<string, WorkloadKind>,
  instance: string,
  logger: Logger,
): (outcome: Outcome) => void {
  let underWay = 0;
  const waiting: Outcome[] = [];
  const write = async (outcome: Outcome) => {
    const kind = kinds.get(outcome.data.workload.kind);
    const body = kind === undefined ? undefined : kubeEvent(outcome, kind, instance);
    if (body === undefined) return;
    const path = `/apis/events.k8s.io/v1/namespaces/${body.metadata.namespace}/events`;
    try {
      await kube.request({ method: "POST", path, body });
    } catch (err) {
      if (err instanceof KubeError && err.status === 409) return;
      logger.warn({ err, workload: outcome.data.workload }, "kubernetes event not written");
    }
  };
  const next = () => {
    while (underWay < 4) {
      const outcome = waiting.shift();
      if (outcome === undefined) return;
      underWay++;
      void write(outcome).finally(() => {
        underWay--;
        next();
      });
    }
  };
  return (outcome) => {
    if (TOLD[outcome.word] === undefined || waiting.length >= 10_000) return;
    waiting.push(outcome);
    next();
  };
}
