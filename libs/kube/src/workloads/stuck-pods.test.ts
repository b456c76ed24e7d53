import { expect, test } from "vitest";
import type { KubeObject, ObjectMeta } from "../object.ts";
import { describeStuck } from "./stuck-pods.ts";

const workload = (kind: string): KubeObject => ({
  kind,
  metadata: { name: "db", uid: "u", resourceVersion: "1" },
  status: { updateRevision: "db-2" },
});
const NOT_READY = { type: "Ready", status: "False" };
const READY = { type: "Ready", status: "True" };

function pod(name: string, status: object = {}, more: Partial<ObjectMeta> = {}): KubeObject {
  const metadata = { name, uid: name, resourceVersion: "1", ...more };
  return { metadata, status: { conditions: [NOT_READY], ...status } };
}

const waiting = (reason: string, message?: string) => ({ state: { waiting: { reason, message } } });
const revision = (hash: string) => ({ labels: { "controller-revision-hash": hash } });

const leaving = (name: string) =>
  pod(name, { conditions: [READY] }, { deletionTimestamp: "2026-01-01T00:00:00Z" });

test.each([
  { name: "all are ready", pods: [pod("a", { conditions: [READY] })], says: undefined },
  { name: "nothing is known", pods: [pod("a")], says: "a is not ready" },
  { name: "no status", pods: [pod("a", { conditions: null })], says: "a is not ready" },
  {
    name: "a container cannot start",
    pods: [
      pod("a", {
        containerStatuses: [waiting("ImagePullBackOff", 'Back-off pulling image "b:2"')],
      }),
    ],
    says: 'a is not ready: ImagePullBackOff: Back-off pulling image "b:2"',
  },
  {
    name: "an init container comes first",
    pods: [
      pod("a", {
        initContainerStatuses: [waiting("CrashLoopBackOff")],
        containerStatuses: [waiting("PodInitializing")],
      }),
    ],
    says: "a is not ready: CrashLoopBackOff",
  },
  {
    name: "no node takes it",
    pods: [
      pod("a", {
        conditions: [
          { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes" },
        ],
      }),
    ],
    says: "a is not ready: Unschedulable: 0/3 nodes",
  },
  {
    name: "its node is gone",
    pods: [{ ...leaving("a"), spec: { nodeName: "node-2" } }],
    says: "a is being deleted, which node-2 has not confirmed; if that node is gone, delete its Node object",
  },
  {
    name: "a finalizer keeps it, and no node has it",
    pods: [leaving("a")],
    says: "a is being deleted",
  },
  {
    name: "an earlier revision",
    pods: [pod("db-1", {}, revision("db-1")), pod("db-0", {}, revision("db-2"))],
    says: "db-0 is not ready. db-1 is not ready; it is of an earlier revision, and no pod is replaced past it: delete it",
  },
  {
    name: "pods that are over",
    pods: [
      pod("a", { phase: "Failed" }),
      pod("b", { phase: "Succeeded" }),
      pod("c", { phase: "Pending" }),
    ],
    says: "c is not ready",
  },
  {
    name: "what the cluster says comes first",
    pods: [pod("a"), pod("b"), pod("c", { containerStatuses: [waiting("ImagePullBackOff")] })],
    says: "c is not ready: ImagePullBackOff. a is not ready. b is not ready",
  },
  {
    name: "a DaemonSet replaces its pods in any order",
    kind: "DaemonSet",
    pods: [pod("a", {}, revision("db-1"))],
    says: "a is not ready",
  },
  {
    name: "many",
    pods: ["e", "d", "c", "b", "a"].map((each) => pod(each)),
    says: "a is not ready. b is not ready. c is not ready. And 2 more pods are not ready",
  },
])("what keeps pods from being ready: $name", ({ kind = "StatefulSet", pods, says }) => {
  expect(describeStuck(workload(kind), pods)).toBe(says);
});

test("what the cluster says is bounded", () => {
  const long = pod("a", { containerStatuses: [waiting("Error", "x".repeat(5_000))] });

  expect(describeStuck(workload("Deployment"), [long])?.length).toBeLessThan(250);
});
