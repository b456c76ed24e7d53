import type { KubeClient } from "@rollcast/kube/client";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import type { KeyedLock } from "@rollcast/async/keyed-lock";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";
import type { KvCache } from "@rollcast/nats/kv-cache";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Rules } from "./model/rules.ts";
import type { Project } from "./index/pod-templates.ts";
import type { SourceNames, WorkloadIndex } from "./index/index-types.ts";
import type { Admission } from "./admission/admission.ts";
import type { DecisionInput } from "./decision/decision.ts";
import type { Failpoint } from "./failpoints.ts";
import type { CommonOrder } from "@rollcast/kube/resource-version";
import type { AnnotationFaults } from "./events/annotation-faults.ts";
import type { RestarterMetrics } from "./metrics.ts";
import type { KubeEvent } from "./events/kube-events.ts";
import type { OutboxEvent, WorkloadRecord } from "./model/workload-record.ts";
import type { WorkloadKey } from "./model/workload.ts";

/** The dependencies shared by all parts of the restarter; created once, in create-context.ts. */
export type Context = {
  readonly cluster: string;
  readonly mode: DecisionInput["mode"];
  readonly breaker: DecisionInput["breaker"];
  readonly stalledAfterMs: number;
  readonly installedAt: number;
  readonly rules: Rules;
  readonly names: SourceNames;
  readonly project: Project;
  readonly kinds: ReadonlyMap<string, WorkloadKind>;
  readonly affected: DecisionInput["affected"];
  readonly kube: KubeClient;
  readonly index: WorkloadIndex;
  readonly records: Kv<WorkloadRecord>;
  /** The records in memory; what is written or read by `records` is in it at once. */
  readonly recordCache: KvCache<WorkloadRecord>;
  readonly sources: Kv<SourceRecord>;
  readonly logger: Logger;
  readonly metrics: RestarterMetrics;
  /** The gates and quota that admit rollouts. */
  readonly admission: Admission;
  /** Publishes an outcome; resolves when the stream has stored it. */
  readonly publish: (event: OutboxEvent) => Promise<void>;
  /** Records a Kubernetes Event on the workload; never fails. */
  readonly recordEvent: (event: KubeEvent | undefined) => void;
  readonly annotationFaults: AnnotationFaults;
  /** Whether versions of sources and of workloads can be compared here. */
  readonly writeOrder: CommonOrder;
  /** How many patches are in progress in this process. */
  readonly patching: { count: number };
  /**
   * Who decides on a workload next: without an order, a rollout loses one race after another to the
   * plans of a source that changes all the time.
   */
  readonly workloadLock: KeyedLock<WorkloadKey>;
  /** A failpoint at which a test may kill this process; does nothing otherwise. */
  readonly failpoint: (name: Failpoint) => void;
};
