import type { KubeObject } from "@rollcast/kube/object";
import { genericKind } from "@rollcast/kube/workloads/generic";
import { jobAgain, jobFrom, jobName } from "@rollcast/kube/workloads/manifest";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { deployment } from "@rollcast/testkit/deployment";
import { expect, test } from "vitest";
import { cronJob, custom, daemonSet, job, statefulSet } from "@rollcast/testkit/shapes";
import { MARKER, formatMarker, restartTime } from "../model/content.ts";
import { kindsOf } from "../index/kinds.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { restartPatch, templatePatch } from "./roll.ts";
import { projectWorkload } from "../index/project-workload.ts";
import type { Workload } from "../model/workload.ts";
import { rulesOf } from "../../test/given.ts";

const APP = {
  group: "apps.example.com",
  version: "v1",
  kind: "App",
  plural: "applications",
  templatePath: "spec.template",
};
const rules = rulesOf();
const kinds = new Map(
  [...kindsOf({ reload: { ignoredWorkloadTypes: [] } as never, kinds: [] }), genericKind(APP)].map(
    (kind) => [kind.kind, kind],
  ),
);
const shape = {
  uses: [
    { as: "envFrom", configMap: "cfg" },
    { as: "env", secret: "sec", key: "password" },
    { as: "volume", configMap: "files" },
  ],
} as const;
const counts = { observedGeneration: 3, replicas: 1, updatedReplicas: 0, availableReplicas: 1 };
const [ns, name] = ["shop", "one"];
const at = { namespace: ns, name };
const restart = {
  "reloader.stakater.com/auto": "true",
  "reloader.stakater.com/rollout-strategy": "restart",
};
const argo = (more: object = {}) =>
  custom("argoproj.io/v1alpha1", "Rollout", at, { ...shape, ...more });

const OBJECTS: Record<string, { object: AnyObject; status: object }> = {
  deployment: { object: deployment(ns, name, shape) as AnyObject, status: counts },
  statefulset: {
    object: statefulSet(ns, name, { ...shape, updateStrategy: { type: "OnDelete" } }),
    status: { ...counts, updateRevision: "one-7f" },
  },
  daemonset: {
    object: daemonSet(ns, name, { ...shape, updateStrategy: { type: "RollingUpdate" } }),
    status: { observedGeneration: 3, desiredNumberScheduled: 2, updatedNumberScheduled: 1 },
  },
  cronjob: {
    object: cronJob(ns, name, { ...shape, cron: { concurrencyPolicy: "Forbid" } }),
    status: { active: [{ kind: "Job", name: "one-28" }] },
  },
  job: { object: job(ns, name, shape), status: { active: 1 } },
  "argo-rollout": {
    object: argo(),
    status: {
      observedGeneration: "3",
      phase: "Paused",
      pauseConditions: [{ reason: "CanaryPauseStep", startTime: "2026-01-10T12:00:00Z" }],
    },
  },
  "argo-rollout-restart": {
    object: argo({ annotations: restart }),
    status: { observedGeneration: "3", phase: "Healthy" },
  },
  deploymentconfig: {
    object: custom("apps.openshift.io/v1", "DeploymentConfig", at, shape),
    status: { ...counts, latestVersion: 2 },
  },
  generic: {
    object: custom("apps.example.com/v1", "App", at, shape),
    status: { observedGeneration: 3, conditions: [{ type: "Ready", status: "False" }] },
  },
};

const wanted = {
  "ConfigMap/shop/cfg": { keys: "*", digest: `k1.${"a".repeat(32)}` },
} as const;
const marker = formatMarker(wanted, ns);

/** The requests that a rollout sends to the API server. */
function sent(kind: WorkloadKind, workload: Workload, object: KubeObject): unknown {
  const marks = { marker: { name: MARKER, value: marker }, rollout: "rollout-1" };
  if (workload.rollBy === "job") return jobFrom(object, jobName(name, "0123456789"), marks);
  if (workload.rollBy === "recreate") return jobAgain(object, marks);
  if (workload.rollBy === "restart") {
    const time = restartTime(Date.parse("2026-01-10T12:00:00.5Z"), undefined);
    return restartPatch(workload, { wanted, marker: time } as unknown as Rollout);
  }
  const rollout = { wanted, marker, guard: 3, id: "rollout-1" };
  const record = { running: {}, rollout } as unknown as WorkloadRecord;
  return templatePatch({ kind, workload, record: { ...record, rollout: rollout as never }, rules });
}

test.each(Object.entries(OBJECTS))(
  "%s: what is kept of it and what rolls it",
  async (file, { object, status }) => {
    const metadata = {
      ...object.metadata,
      uid: "uid-1",
      resourceVersion: "100",
      generation: 3,
      creationTimestamp: "2026-01-01T00:00:00Z",
    };
    const whole = { ...object, metadata, status } as KubeObject;
    const kind = kinds.get(object.kind ?? "");
    if (kind === undefined) throw new Error(`${object.kind} is not a kind`);
    const { optIn, ...kept } = projectWorkload(kind, whole, rules);
    const golden = { kept, sent: sent(kind, { ...kept, optIn }, whole) };
    await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(
      `../../test/golden/${file}.golden.json`,
    );
  },
);
