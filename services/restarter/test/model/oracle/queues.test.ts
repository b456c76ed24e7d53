import { recordKey } from "@rollcast/shared/subjects";
import { expect, test } from "vitest";
import { RESUMED } from "../acts/act.ts";
import { MARKER } from "../../../src/model/content.ts";
import type { OutboxEvent, WorkloadRecord } from "../../../src/model/workload-record.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { CLUSTER, NAMESPACE, START } from "../world/config.ts";
import type { Entry } from "../world/history.ts";
import { factsOf } from "./facts.ts";
import { QUEUES } from "./queues.ts";

const CHANGE = { source: "ConfigMap/shop/cfg", id: "change-1" };

/** A history of several workloads in one queue, a second after the other. */
function written({ maxRolling = 1, haltAfter = 1 } = {}) {
  const entries: Entry[] = [
    { at: START, type: "queue", attempts: 1, maxRolling, haltAfter },
    { at: START, type: "note", text: "the end" },
  ];
  const add = (entry: object) => {
    const at = START + entries.length * 1_000;
    entries.splice(-1, 1, { at, ...entry } as Entry, { at, type: "note", text: "the end" });
    return history;
  };
  const history = {
    record: (name: string, over: Partial<WorkloadRecord>) => {
      const record = { kind: "Deployment", namespace: NAMESPACE, name, uid: name, ...over };
      const key = recordKey(CLUSTER, { kind: "Deployment", namespace: NAMESPACE, name });
      return add({ type: "record", key, record });
    },
    decided: (name: string, over: object = {}) => {
      const decidedAt = START + entries.length * 1_000;
      const rollout = { id: name, decidedAt, changes: [CHANGE], wanted: {}, ...over };
      return history.record(name, {
        phase: "pending",
        rollout: rollout as unknown as NonNullable<WorkloadRecord["rollout"]>,
      });
    },
    patched: (name: string) => {
      const template = { metadata: { annotations: { [MARKER]: "1" } } };
      const object = { kind: "Deployment", metadata: { name, uid: name }, spec: { template } };
      const write = { type: "MODIFIED", object: object as unknown as KubeObject };
      return add({ type: "object", by: "rollcast", write });
    },
    event: (name: string, outcome: OutboxEvent["outcome"]) => {
      const data = { rollout: name, workload: { kind: "Deployment", name, uid: name } };
      return add({ type: "event", event: { id: `${name} ${outcome}`, outcome, data } });
    },
    begun: (name: string, over?: object) =>
      history.decided(name, over).patched(name).event(name, "started"),
    ended: (name: string, outcome: OutboxEvent["outcome"]) =>
      history.record(name, { phase: "current" }).event(name, outcome),
    held: (name: string, due: Partial<WorkloadRecord["due"]>) =>
      history.record(name, {
        phase: "deferred",
        due: { published: true, ...due } as NonNullable<WorkloadRecord["due"]>,
      }),
    act: (text: string) => add({ type: "act", text }),
    says: () => QUEUES.flatMap(({ faults }) => faults(factsOf(entries))).map(({ what }) => what),
  };
  return history;
}

test("one after the other keeps the limit, two at once do not", () => {
  const first = () => written().begun("web");

  expect(first().ended("web", "succeeded").begun("api").says()).toEqual([]);
  expect(first().begun("api").says()).toEqual(["2 workloads roll at once, with maxRolling 1"]);
});

test("a rollout of a change that has failed as often as haltAfter breaks the promise", () => {
  const failed = () => written().begun("web").ended("web", "failed");

  expect(failed().begun("api").says()).toEqual([
    "a rollout began after 1 of its change had failed",
  ]);
  expect(failed().act(RESUMED).begun("api").says()).toEqual([]);
  expect(written().begun("web").ended("web", "succeeded").begun("api").says()).toEqual([]);
});

test("a rollout that was decided before the first one failed may still begin", () => {
  const decided = written().begun("web").decided("api").ended("web", "failed");

  expect(decided.record("api", { phase: "rolling" }).event("api", "started").says()).toEqual([]);
});

test("a rollout that stalled counts until it succeeds", () => {
  const stalled = written().begun("web").event("web", "stalled");
  expect(stalled.ended("web", "succeeded").begun("api").says()).toEqual([]);
});

test("what is held for a reason that does not hold breaks the promise", () => {
  const held = (due: Partial<WorkloadRecord["due"]>) => written().held("web", due).says();

  expect(held({ reason: "MaxRolling" })).toEqual(["held (MaxRolling), but 0 workloads roll"]);
  expect(held({ reason: "Halted", changes: [CHANGE] })).toEqual([
    "held (Halted), but 0 rollouts have failed",
  ]);
  expect(held({ reason: "QueuePaused" })).toEqual([
    "held (QueuePaused), but the queue is not paused",
  ]);
  expect(held({ reason: "MinInterval", at: START - 120_000 })).toEqual([
    "held (MinInterval), but its time has passed",
  ]);
});

test("what is held for a reason that holds keeps the promise", () => {
  const rolling = written().begun("api").held("web", { reason: "MaxRolling" });
  const halted = written().begun("api").ended("api", "failed");

  expect(rolling.says()).toEqual([]);
  expect(halted.held("web", { reason: "Halted", changes: [CHANGE] }).says()).toEqual([]);
});

test("after failures a workload waits for others of its change, and never for none", () => {
  const limits = { maxRolling: 2, haltAfter: 2 };
  const wait = { reason: "MaxRolling" } as const;
  const failed = (haltAfter: number, wanted?: object) =>
    written({ ...limits, haltAfter })
      .begun("api", wanted)
      .ended("api", "failed");

  expect(failed(2).begun("web").held("batch", wait).says()).toEqual([]);
  const none = ["held (MaxRolling), but 0 workloads roll"];
  expect(failed(2).held("batch", wait).says()).toEqual(none);
  expect(failed(1).held("batch", wait).says()).toEqual(none);
  // What failed then is not wanted any more.
  const wanted = { "ConfigMap/shop/cfg": { keys: "*", digest: "k1.older" } };
  const changes = [{ ...CHANGE, id: "change-0" }];
  expect(failed(2, { wanted, changes }).begun("web").held("batch", wait).says()).toEqual([
    "held (MaxRolling), but 1 workloads roll",
  ]);
});
