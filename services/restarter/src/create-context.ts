import { setTimeout as sleep } from "node:timers/promises";
import { createKeyedLock } from "@rollcast/async/keyed-lock";
import type { Host } from "@rollcast/host/host";
import type { KubeClient } from "@rollcast/kube/client";
import { createCommonOrder } from "@rollcast/kube/resource-version";
import type { CommonOrder } from "@rollcast/kube/resource-version";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { openKv, readNewest } from "@rollcast/nats/kv";
import { openKvCache } from "@rollcast/nats/kv-cache";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/streams";
import type { JetStreamResources } from "@rollcast/nats/provision";
import { waitProvisioned } from "@rollcast/nats/wait-provisioned";
import { SOURCE_KINDS } from "@rollcast/shared/events";
import type { SourceKind } from "@rollcast/shared/events";
import { SourceRecord } from "@rollcast/shared/records";
import { openFailpoints } from "@rollcast/runtime/failpoints";
import {
  followInstallation,
  openInstallation,
  readInstallation,
  sourceKeys,
} from "@rollcast/nats/installation";
import type { Installation } from "@rollcast/nats/installation";
import type { Nats } from "@rollcast/nats/connect";
import type { Context } from "./context.ts";
import { watchAnnotationFaults } from "./events/annotation-faults.ts";
import { createEventRecorder } from "./events/kube-events.ts";
import { watchOtherInstallations } from "./events/other-installations.ts";
import type { OtherInstallations } from "./events/other-installations.ts";
import { createOutcomePublisher } from "./events/outcome-publisher.ts";
import { createAffectedCounts } from "./model/verdict.ts";
import { createProject } from "./index/pod-templates.ts";
import { createSourceNames } from "./index/workload-index.ts";
import { createWorkloadIndex } from "./index/workload-index.ts";
import { kindsOf } from "./index/kinds.ts";
import { createRestarterMetrics } from "./metrics.ts";
import { createRules } from "./model/rules.ts";
import type { WorkloadKey } from "./model/workload.ts";
import { WorkloadRecord } from "./model/workload-record.ts";
import { openControl } from "./operations/control.ts";
import type { Control } from "./operations/control.ts";

/** A patch that hangs holds back the plans of its own workload only, and not for longer. */
const LOCK_HOLD_MS = 1_000;

export type RestarterHost = Host & { readonly kube: KubeClient };

const USES: JetStreamResources = {
  streams: [EVENT_STREAM, DEAD_LETTER_STREAM],
  buckets: ["sources", "workloads", "control"],
};

/** The context, and what only the startup of the restarter needs. */
export type Created = {
  readonly ctx: Context;
  readonly control: Control;
  readonly others: OtherInstallations;
  /** The workload kinds that the configuration enables. */
  readonly watchable: readonly WorkloadKind[];
  readonly instance: string;
  /** Sets the callback for workloads that newly may use a source. */
  readonly onSourceNamed: { enqueue: (key: WorkloadKey) => void };
  /** Adds a kind that the cluster serves. */
  readonly served: (kind: WorkloadKind) => void;
};

/** Waits for the streams, buckets and installation record, and creates the context. */
export async function createContext(host: RestarterHost): Promise<Created> {
  const { config, env, kube, logger, metrics, nats, signal, stack } = host;
  const { cluster } = config;
  const own = createRestarterMetrics(metrics);
  await waitProvisioned(nats, config.nats.replicas, USES, signal);
  const installation = await waitInstallation(nats, cluster, signal);

  // Jobs in progress finish after consumption has stopped, so `signal` must not abort their calls.
  const ending = new AbortController();
  stack.defer(() => ending.abort());
  const kinds = new Map<string, WorkloadKind>();
  const watchable = kindsOf(config);
  const rules = createRules(
    config.reload,
    // A Job of a CronJob is never recreated, whether or not CronJobs are followed.
    [...watchable, cronJob],
  );
  const writeOrder = createCommonOrder();
  const index = createWorkloadIndex(rules, Date.now, writeOrder);
  const patching = { count: 0 };
  const instance = env.POD_NAME ?? env.HOSTNAME ?? "restarter";
  const { recordEvent } = stack.use(
    createEventRecorder({
      kube,
      kinds,
      instance,
      patching,
      logger,
    }),
  );
  const onSourceNamed: Created["onSourceNamed"] = { enqueue: () => undefined };
  const names = createSourceNames(rules.patterns, index, onSourceNamed);
  const failpoint = openFailpoints(env);
  const control = await openControl({
    config,
    nats,
    workload: index.get,
    logger,
    signal,
    ending: ending.signal,
    failpoint,
  });
  const records = await openKvCache({
    kv: await openKv(nats, "workloads", WorkloadRecord),
    filter: `${cluster}.>`,
    signal,
  });
  await showNewestSources(nats, cluster, writeOrder);
  const ctx: Context = {
    cluster,
    mode: config.mode,
    breaker: config.rollout.loopBreaker,
    stalledAfterMs: config.rollout.stalledAfter,
    installedAt: installation.installedAt,
    rules,
    names,
    project: createProject(kube, rules, ending.signal),
    affected: createAffectedCounts(index, rules),
    kinds,
    kube,
    index,
    records: records.kv,
    recordCache: records.cache,
    sources: await openKv(nats, "sources", SourceRecord),
    logger,
    metrics: own,
    admission: control.admission,
    publish: createOutcomePublisher(nats, cluster, index, ending.signal),
    recordEvent,
    annotationFaults: watchAnnotationFaults(
      { index, logger, metrics: own, recordEvent },
      control.assigner.of,
    ),
    patching,
    writeOrder,
    workloadLock: createKeyedLock(LOCK_HOLD_MS),
    failpoint,
  };
  const others = watchOtherInstallations({
    index,
    installation: await followInstallation(nats, cluster, signal),
    recordEvent,
    logger,
    metrics,
  });
  const served = (kind: WorkloadKind) => void kinds.set(kind.kind, kind);
  return { ctx, control, others, watchable, instance, onSourceNamed, served };
}

/**
 * Shows the order of writes the newest record of each kind of source: the lists that follow are
 * later, so that the first event of a source after them can confirm it.
 */
async function showNewestSources(nats: Nats, cluster: string, order: CommonOrder): Promise<void> {
  const show = async (kind: SourceKind) => {
    const of = { filter: sourceKeys(cluster, kind), schema: SourceRecord };
    const newest = await readNewest(nats, "sources", of);
    if (newest === undefined) return;
    const { value, writtenAt } = newest;
    order.shown("sources", kind, { version: value.resourceVersion, time: writtenAt });
  };
  await Promise.all(SOURCE_KINDS.map(show));
}

const POLL_INTERVAL_MS = 250;

/**
 * Waits for the installation record, which the first watcher creates: without it, new workloads
 * look like older ones.
 */
async function waitInstallation(
  nats: Nats,
  cluster: string,
  signal: AbortSignal,
): Promise<Installation> {
  const kv = await openInstallation(nats);
  for (let look = 0; ; look++) {
    const installation = await readInstallation(kv, cluster);
    if (installation !== undefined) return installation;
    if (look === 0)
      nats.logger.info({ cluster }, "waiting for the installation record of the watcher");
    await sleep(POLL_INTERVAL_MS, undefined, { signal });
  }
}
