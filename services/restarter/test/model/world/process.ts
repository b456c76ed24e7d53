import { createKeyedLock } from "@rollcast/async/keyed-lock";
import { argoRollout } from "@rollcast/kube/workloads/argo-rollout";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
import { genericKind } from "@rollcast/kube/workloads/generic";
import { job } from "@rollcast/kube/workloads/job";
import { deployment } from "@rollcast/kube/workloads/deployment";
import { daemonSet } from "@rollcast/kube/workloads/daemonset";
import { statefulSet } from "@rollcast/kube/workloads/statefulset";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { openKvCache } from "@rollcast/nats/kv-cache";
import { createLogger } from "@rollcast/runtime/logger";
import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import { Reload } from "@rollcast/shared/config/reload";
import type { SourceEvent } from "@rollcast/shared/events";
import { SourceRecord } from "@rollcast/shared/records";
import { createAdmission, createQueueAssigner } from "../../../src/admission/admission.ts";
import { createQuotaStore } from "../../../src/admission/quota-store.ts";
import type { Context } from "../../../src/context.ts";
import { createAffectedCounts } from "../../../src/model/verdict.ts";
import { createSourceNames, feedSourceNames } from "../../../src/index/workload-index.ts";
import { createProject } from "../../../src/index/pod-templates.ts";
import { createWorkloadIndex } from "../../../src/index/workload-index.ts";
import { watchKind } from "../../../src/index/kind-watch.ts";
import { ControlEntry } from "../../../src/model/control-entry.ts";
import { createAssignQueue } from "../../../src/model/queue-assignment.ts";
import { createRules } from "../../../src/model/rules.ts";
import { splitKey, workloadKey } from "../../../src/model/workload.ts";
import type { WorkloadKey } from "../../../src/model/workload.ts";
import { WorkloadRecord } from "../../../src/model/workload-record.ts";
import { startApplyingSettings } from "../../../src/queue/apply-settings.ts";
import { plan } from "../../../src/queue/plan.ts";
import type { RolloutQueue, RolloutQueues } from "../../../src/queue/rollout-queues.ts";
import { startProgressWatch } from "../../../src/reconcile/progress-watch.ts";
import type { ReconcileResult } from "../../../src/reconcile/reconcile.ts";
import { startResync } from "../../../src/reconcile/resync.ts";
import { createReconcileQueue } from "../../../src/reconcile/reconciler.ts";
import { roll } from "../../../src/rollout/roll.ts";
import type { JobAttempt } from "../ports/jobs.ts";
import type { Gate } from "../ports/gate.ts";
import { CLUSTER, INSTALLED, queuesOf } from "./config.ts";
import type { Ports } from "./ports.ts";

/** One life of the restarter: the parts that `restarter.ts` puts together, over ports in memory. */
export type RestarterProcess = {
  readonly gate: Gate;
  /** It has read what it needs and takes events and jobs. */
  isReady(): boolean;
  plan(event: SourceEvent): Promise<void>;
  work(key: WorkloadKey, attempt: JobAttempt): Promise<void>;
  /** As after a reconnect to Redis or NATS. */
  resync(reason: string): void;
};

/** Always followed; the others where the world has such workloads. */
const KINDS: readonly WorkloadKind[] = [deployment, statefulSet, daemonSet];
const MORE: Readonly<Record<string, readonly WorkloadKind[]>> = {
  Rollout: [argoRollout],
  CronJob: [cronJob, job],
  Job: [job],
  CloneSet: [
    genericKind({
      kind: "CloneSet",
      group: "apps.kruise.io",
      version: "v1alpha1",
      plural: "clonesets",
      templatePath: "spec.template",
    }),
  ],
};
const logger = createLogger("model", "silent");

const noMetric = { inc: () => undefined, observe: () => undefined };
const metrics = {
  patchSeconds: noMetric,
  patchErrors: noMetric,
  recordConflicts: noMetric,
  resyncSeconds: noMetric,
  annotationFaults: noMetric,
  verdicts: noMetric,
  outcomes: noMetric,
  rolloutSeconds: noMetric,
  changeToHealthySeconds: noMetric,
} as unknown as Context["metrics"];

function queuesOver({ jobs, clock }: Ports, gate: Gate): RolloutQueues {
  const add = (ref: Parameters<RolloutQueue["enqueueNow"]>[0], delayMs: number, wake: boolean) =>
    jobs.add(gate, { id: workloadKey(ref), delayMs, wake });
  const { window } = jobs.config;
  const queue = {
    queue: DEFAULT_QUEUE,
    enqueue: (ref, wake) => add(ref, window, wake),
    enqueueNow: (ref) => add(ref, 0, true),
    enqueueAt: (ref, at) => add(ref, Math.max(0, at - clock.now()), false),
    fault: () => undefined,
  } satisfies Partial<RolloutQueue> as unknown as RolloutQueue;
  return {
    of: () => queue,
    all: () => [queue],
    applySettings: () => Promise.resolve(),
    async requeue(key: WorkloadKey, { requeueAt }: ReconcileResult) {
      if (requeueAt !== undefined) await queue.enqueueAt(splitKey(key), requeueAt);
    },
  } satisfies Partial<RolloutQueues> as unknown as RolloutQueues;
}

/** Starts the restarter over `ports`; every call it makes passes `gate`. */
export async function startProcess(
  ports: Ports,
  gate: Gate,
  started: (process: RestarterProcess) => void,
): Promise<void> {
  const { signal } = gate;
  const queueConfigs = queuesOf(ports.config);
  const followed = [...KINDS, ...(MORE[ports.config.kind ?? ""] ?? [])];
  const rules = createRules(Reload.parse({ onCreate: true }), [...followed, cronJob]);
  const index = createWorkloadIndex(rules);
  const onSourceNamed: { enqueue: (key: WorkloadKey) => void } = { enqueue: () => undefined };
  const names = createSourceNames(rules.patterns, index, onSourceNamed);
  const { cache, kv: control } = await openKvCache({
    kv: ports.control.view(gate, ControlEntry, { read: "other", write: "write quota" }),
    filter: `${CLUSTER}.>`,
    signal,
  });
  const quotaStore = createQuotaStore({
    cluster: CLUSTER,
    kv: control,
    cache,
    flush: () => undefined,
  });
  const assigner = createQueueAssigner(
    createAssignQueue({
      queues: queueConfigs,
      queueAnnotation: { namespaces: [], namespaceSelector: "" },
    }),
  );
  const admission = createAdmission({
    cluster: CLUSTER,
    queues: queueConfigs,
    cache,
    quotaStore,
    assigner,
    workload: index.get,
  });
  const kube = ports.kube.client(gate);
  const records = await openKvCache({
    kv: ports.records.view(gate, WorkloadRecord, { read: "read record", write: "write record" }),
    filter: `${CLUSTER}.>`,
    signal,
  });
  const kinds = new Map<string, WorkloadKind>();
  const ctx: Context = {
    cluster: CLUSTER,
    mode: "active",
    breaker: { maxRollouts: 20, period: 600_000, minInterval: 10_000, maxInterval: 900_000 },
    stalledAfterMs: 600_000,
    installedAt: INSTALLED,
    rules,
    names,
    project: createProject(kube, rules, signal),
    annotationFaults: { of: () => [], unmatched: new Map(), matched: () => undefined },
    affected: createAffectedCounts(index, rules),
    kinds,
    kube,
    index,
    records: records.kv,
    recordCache: records.cache,
    sources: ports.sources.view(gate, SourceRecord, { read: "read source", write: "other" }),
    logger,
    metrics,
    admission,
    publish: (outcome) => ports.stream.publish(gate, outcome),
    recordEvent: () => undefined,
    patching: { count: 0 },
    // One store numbers all writes, as etcd does; two replicas have seen that, and one has not.
    writeOrder: { shown: () => undefined, isConfirmed: () => ports.config.restarters === 2 },
    workloadLock: createKeyedLock(1_000),
    failpoint: () => undefined,
  };
  const queues = queuesOver(ports, gate);
  const { promise: indexed, resolve: onIndexed } = Promise.withResolvers<void>();
  const workqueue = createReconcileQueue(ctx, { requeue: queues.requeue, indexed });
  onSourceNamed.enqueue = workqueue.enqueue;
  await feedSourceNames(names, { sources: ctx.sources, cluster: CLUSTER, signal });
  const progress = startProgressWatch(ctx, workqueue.enqueue, signal);
  const watched = followed.map((kind) =>
    watchKind(
      {
        client: kube,
        index,
        rules,
        project: ctx.project,
        logger,
        signal,
        namespaces: [],
        served: (served) => void kinds.set(served.kind, served),
      },
      kind,
    ),
  );
  await Promise.all(watched.map(({ stateKnown }) => stateKnown));
  onIndexed();
  startApplyingSettings(
    ctx,
    {
      admission,
      assigner,
      quotaStore,
      operations: {} as never,
      expire: () => Promise.resolve(),
      flushOverdue: () => undefined,
      listen: cache.listen,
    },
    { queues, progress, names: queueConfigs.map(({ name }) => name) },
  );
  const resync = startResync(ctx, workqueue, progress, ports.resyncIntervalMs);
  started({
    gate,
    isReady: () => !gate.isDead(),
    plan: (event) =>
      plan(ctx, queues, event, (workload) => workqueue.enqueue(workloadKey(workload))),
    work: async (key, attempt) => queues.requeue(key, await roll(ctx, key, attempt)),
    resync: (reason) => resync.now(reason),
  });
}
