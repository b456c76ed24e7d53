import { recordKey } from "@rollcast/shared/subjects";
import { expect, test } from "vitest";
import { MARKER, formatMarker } from "../../../src/model/content.ts";
import type { OutboxEvent, Rollout, WorkloadRecord } from "../../../src/model/workload-record.ts";
import { source } from "../acts/objects.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { CLUSTER, NAMESPACE, START } from "../world/config.ts";
import type { Entry } from "../world/history.ts";
import { DATA } from "./data.ts";
import { digestOf } from "./digest.ts";
import { violationsOf } from "./oracle.ts";

const wanted = {
  "ConfigMap/shop/cfg": {
    keys: "*" as const,
    digest: digestOf(source("cfg", 1) as unknown as KubeObject),
  },
};
const marker = formatMarker(wanted, NAMESPACE);
const rollout = { id: "r", wanted, marker, decidedAt: START, job: "web-1" } as unknown as Rollout;
const COMPLETE = { conditions: [{ type: "Complete", status: "True" }] };
const optIn = { annotations: { "rollcast.dev/auto": "true" } };

/** A history of a CronJob or a Job, a second after the other. */
function written(kind: "CronJob" | "Job") {
  const entries: Entry[] = [];
  const add = (entry: object) => {
    entries.push({ at: START + entries.length * 1_000, ...entry } as Entry);
    return history;
  };
  const object = (by: string, type: "ADDED" | "MODIFIED" | "DELETED", given: object) =>
    add({ type: "object", by, write: { type, object: given as unknown as KubeObject } });
  const workload = { kind, metadata: { name: "web", uid: "w", ...optIn }, spec: {} };
  const history = {
    content: (value: number) => object("owner", "MODIFIED", source("cfg", value)),
    made: () => object("owner", "ADDED", workload),
    deleted: () => object("rollcast", "DELETED", workload),
    /** The Job that a CronJob has run. */
    ran: (status: object = {}) =>
      object("rollcast", Object.keys(status).length === 0 ? "ADDED" : "MODIFIED", {
        kind: "Job",
        metadata: {
          name: "web-1",
          uid: "j",
          ownerReferences: [{ kind: "CronJob", name: "web", uid: "w", controller: true }],
        },
        spec: { template: { metadata: { annotations: { [MARKER]: marker } } } },
        status,
      }),
    record: (over: Partial<WorkloadRecord>) => {
      const at = { kind, namespace: NAMESPACE, name: "web" };
      const record = { ...at, uid: "w", phase: "current", running: {}, outbox: [], ...over };
      return add({ type: "record", key: recordKey(CLUSTER, at), record });
    },
    gone: () =>
      add({ type: "record", key: recordKey(CLUSTER, { kind, namespace: NAMESPACE, name: "web" }) }),
    event: (outcome: OutboxEvent["outcome"]) => {
      const data = { rollout: "r", workload: { kind, name: "web", uid: "w" } };
      return add({
        type: "event",
        event: { id: outcome, outcome, time: START + entries.length * 1_000, data },
      });
    },
    // What events say of themselves has tests of its own.
    says: () =>
      violationsOf(entries)
        .filter(({ property }) => !DATA.some(({ name }) => name === property))
        .map(({ property, what }) => `${property}: ${what}`),
  };
  return history;
}

function run() {
  const before = written("CronJob")
    .content(0)
    .made()
    .content(1)
    .event("planned")
    .record({ phase: "pending", rollout });
  return before.ran().event("started");
}

test("a CronJob succeeds only when the Job that was run is complete", () => {
  const end = (history: ReturnType<typeof written>) =>
    history.record({ running: wanted }).event("succeeded").says();

  expect(end(run().ran(COMPLETE))).toEqual([]);
  expect(end(run())).toEqual(["succeeded is true: succeeded, but its Job is not complete"]);
});

test("a CronJob that was not run with its present content is forgotten", () => {
  expect(written("CronJob").content(0).made().content(1).record({}).says()).toEqual([
    "nothing is forgotten: pods lack the content of ConfigMap/cfg, and the record says current, without a reason",
  ]);
});

test("a Job that we have deleted is made again, or kept by its record with a reason", () => {
  const deleted = () => written("Job").content(0).made().deleted();
  const recreate = { manifest: "{}", rollout };
  const failure = { reason: "Forbidden", retryAt: START } as WorkloadRecord["failure"];

  expect(deleted().gone().says()).toEqual([
    "records are true: a Job is deleted and made again by nobody",
  ]);
  expect(deleted().record({ phase: "failed", recreate }).says()).toEqual([
    "records are true: a deleted Job is not made again, and its record does not say why",
  ]);
  expect(deleted().record({ phase: "failed", recreate, failure }).says()).toEqual([
    "holds are told: the rollout is held (Forbidden), and no event says so",
  ]);
});

test("a Job that is not rolled for new content, for it is suspended, is told as skipped", () => {
  const older = { [Object.keys(wanted)[0] as string]: { keys: "*" as const, digest: "older" } };
  const passed = () =>
    written("Job")
      .content(0)
      .made()
      .record({ running: older })
      .content(1)
      .record({ running: wanted });
  const untold = "plans are told: a Job is not rolled for new content, and no event says so";

  expect(passed().says()).toContain(untold);
  expect(passed().event("skipped").says()).not.toContain(untold);
});
