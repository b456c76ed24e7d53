import { expect, test } from "vitest";
import { traceOf } from "./trace-of.ts";
import type { WatchedVersion } from "./watch-object.ts";

function version(resourceVersion: number, generation: number, updated: number): WatchedVersion {
  return {
    type: resourceVersion === 10 ? "ADDED" : "MODIFIED",
    seenAt: resourceVersion * 100,
    object: {
      metadata: { name: "web", generation, resourceVersion: String(resourceVersion) },
      status: { updatedReplicas: updated },
    },
  };
}

const workload = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" } };
const create = { effect: { do: "create" }, version: 10 } as const;
const patch = { do: "patch", patch: { spec: { replicas: 2 } } } as const;

test("writes are the versions that they gave; what changes nothing is no observation", () => {
  const versions = [version(10, 1, 0), version(11, 1, 1), version(12, 1, 1), version(14, 2, 1)];
  const done = [create, { effect: patch, version: 14 }];
  const { observations, effects } = traceOf({
    kind: "Deployment",
    workload,
    versions,
    done,
    final: "",
  });

  expect(observations.map((text) => /generation=\d/.exec(text)?.[0])).toEqual([
    "generation=1",
    "generation=1",
    "generation=2",
  ]);
  expect(effects.map(({ at }) => at)).toEqual([{ exactly: 0 }, { exactly: 2 }]);
});

test("a write that changed nothing is left out, whoever made the version it was answered with", () => {
  const versions = [version(10, 1, 0), version(11, 1, 1)];
  const done = [create, { effect: patch, version: 10 }, { effect: patch, version: 11 }];
  const { effects } = traceOf({ kind: "Deployment", workload, versions, done, final: "" });

  expect(effects).toEqual([{ effect: { do: "create" }, at: { exactly: 0 } }]);
});

test("a deleted pod is placed by the versions around it, and may be seen late", () => {
  const versions = [version(10, 1, 0), version(12, 1, 1), version(15, 1, 2), version(22, 1, 3)];
  const effect = { do: "delete pod", content: "version=0" } as const;
  const done = [create, { effect, after: 11, before: 13, doneAt: 1_300 }];
  const { effects } = traceOf({ kind: "Deployment", workload, versions, done, final: "" });

  expect(effects[1]).toEqual({ effect, at: { from: 1, late: 3 } });
});

test("a node that dies may be noticed later than a deleted pod", () => {
  const versions = [version(10, 1, 0), version(15, 1, 1), version(22, 1, 2), version(24, 1, 3)];
  const effect = { do: "node", node: "a", state: "dead" } as const;
  const done = [create, { effect, after: 11, before: 13, doneAt: 1_300 }];
  const nodes = ["a"];
  const trace = traceOf({ kind: "Deployment", workload, nodes, versions, done, final: "" });

  expect(trace.nodes).toEqual(nodes);
  expect(trace.effects[1]).toEqual({ effect, at: { from: 1, late: 3 } });
});

test("a pause that only its end took away is somebody's write, and a controller's version is not", () => {
  const of = (resourceVersion: number, status: object, generation = 1): WatchedVersion => ({
    type: resourceVersion === 10 ? "ADDED" : "MODIFIED",
    seenAt: 0,
    object: {
      metadata: { name: "web", generation, resourceVersion: String(resourceVersion) },
      status,
    },
  });
  const paused = { controllerPause: true, pauseConditions: [{ reason: "CanaryPauseStep" }] };
  const resumed = { controllerPause: true };
  const versions = [of(10, {}), of(11, {}, 2), of(12, paused, 2), of(13, resumed, 2)];
  const done = [create, { effect: { do: "promote" } as const, version: 13 }];
  const { observations, effects } = traceOf({
    kind: "Rollout",
    workload,
    versions,
    done,
    final: "",
  });

  expect(observations).toHaveLength(4);
  expect(effects.map(({ at }) => at)).toEqual([{ exactly: 0 }, { exactly: 3 }]);
});

test("a version in which Argo's controller raised the generation is nobody else's write", () => {
  const first = version(10, 1, 0);
  const second = version(11, 2, 0);
  const annotations = { "rollout.argoproj.io/revision": "1" };
  const metadata = { ...second.object.metadata, annotations };
  const versions = [first, { ...second, object: { ...second.object, metadata } }];
  const done = [create, { effect: patch, version: 11 }];
  const { effects } = traceOf({ kind: "Rollout", workload, versions, done, final: "" });

  expect(effects.map(({ at }) => at)).toEqual([{ exactly: 0 }]);
});
