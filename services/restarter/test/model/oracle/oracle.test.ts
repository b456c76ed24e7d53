import { expect, test } from "vitest";
import { recordKey } from "@rollcast/shared/subjects";
import { MARKER, formatMarker, sourceKey } from "../../../src/model/content.ts";
import type { ControlEntry } from "../../../src/model/control-entry.ts";
import type { OutboxEvent, Rollout, WorkloadRecord } from "../../../src/model/workload-record.ts";
import { source } from "../acts/objects.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import { CLUSTER, NAMESPACE, START } from "../world/config.ts";
import type { Entry } from "../world/history.ts";
import { DATA } from "./data.ts";
import { digestOf } from "./digest.ts";
import { violationsOf } from "./oracle.ts";

const KEY = recordKey(CLUSTER, { kind: "Deployment", namespace: NAMESPACE, name: "web" });
const CFG = sourceKey("ConfigMap", "shop", "cfg");
const digest = (value: number) => digestOf(source("cfg", value) as KubeObject);
const wanted = (value: number) => ({ [CFG]: { keys: "*" as const, digest: digest(value) } });

/** A history that is written down one entry after the other, a second apart. */
function written() {
  const entries: Entry[] = [];
  let version = 0;
  let passed = 0;
  const at = () => START + passed + entries.length * 1_000;
  const object = (by: string, type: "ADDED" | "MODIFIED" | "DELETED", given: object) => {
    const { metadata, ...rest } = given as { metadata: object };
    const resourceVersion = ++version;
    const stored = { ...rest, metadata: { ...metadata, resourceVersion: String(resourceVersion) } };
    const write = { type, object: stored as unknown as KubeObject, resourceVersion };
    entries.push({ at: at(), type: "object", by, write });
    return history;
  };
  const history = {
    entries,
    object,
    content: (value: number) =>
      object("owner", value === 0 ? "ADDED" : "MODIFIED", source("cfg", value)),
    workload: (
      by: string,
      options: {
        marker?: string;
        edited?: string;
        ready?: number;
        replicas?: number;
        onDelete?: boolean;
        isLate?: boolean;
        lateSince?: string;
        isPaused?: boolean;
      } = {},
    ) => {
      const { marker, edited, ready = 1, replicas = 1, onDelete = false } = options;
      const { isLate = false, lateSince, isPaused = false } = options;
      const late = {
        type: "Progressing",
        status: "False",
        reason: "ProgressDeadlineExceeded",
        lastUpdateTime: lateSince,
      };
      const status = {
        replicas: 1,
        updatedReplicas: 1,
        availableReplicas: ready,
        conditions: isLate ? [late] : [],
      };
      const annotations = {
        ...(marker === undefined ? {} : { [MARKER]: marker }),
        ...(edited === undefined ? {} : { edited }),
      };
      return object(by, "MODIFIED", {
        kind: "Deployment",
        metadata: {
          name: "web",
          namespace: "shop",
          uid: "w",
          generation: 1,
          annotations: { "rollcast.dev/auto": "true" },
        },
        spec: {
          replicas,
          ...(isPaused ? { paused: true } : {}),
          ...(onDelete ? { updateStrategy: { type: "OnDelete" } } : {}),
          template: { metadata: { annotations } },
        },
        status: { ...status, observedGeneration: 1 },
      });
    },
    pod: (name: string, type: "ADDED" | "DELETED" = "ADDED") =>
      object("cluster", type, {
        kind: "Pod",
        metadata: { name, uid: name, ownerReferences: [{ uid: "w" }] },
      }),
    started: (name: string) =>
      object("cluster", "MODIFIED", {
        kind: "Pod",
        metadata: { name, uid: name, ownerReferences: [{ uid: "w" }] },
        status: { phase: "Running" },
      }),
    record: (over: Partial<WorkloadRecord>) => {
      const record = {
        kind: "Deployment",
        namespace: "shop",
        name: "web",
        uid: "w",
        phase: "current",
        running: {},
        outbox: [],
        ...over,
      } as unknown as WorkloadRecord;
      entries.push({ at: at(), type: "record", key: KEY, record });
      return history;
    },
    frozen: (until?: number) => {
      const scope = { level: "workload", name: "web" };
      const entry = { type: "freeze", scope, until } as ControlEntry;
      entries.push({ at: at(), type: "control", key: "freeze", entry });
      return history;
    },
    lost: () => {
      entries.push({ at: at(), type: "lost", kind: "patch", performed: true });
      return history;
    },
    refused: () => {
      entries.push({ at: at(), type: "refused", reason: "Forbidden", by: "rollcast" });
      return history;
    },
    passes: (ms: number) => {
      passed += ms;
      entries.push({ at: at(), type: "note", text: "time passes" });
      return history;
    },
    rolling: (id: string, value: number) =>
      history.record({ phase: "rolling", rollout: rollout(id, value) }),
    event: (
      outcome: OutboxEvent["outcome"],
      id: string,
      reason?: string,
      message?: string,
      dueAt?: number,
    ) => {
      const isEnd = ["succeeded", "failed", "superseded", "cancelled"].includes(outcome);
      const event = {
        id: `${id} ${isEnd ? "end" : outcome}`,
        outcome,
        time: at(),
        data: {
          ...(dueAt === undefined ? {} : { dueAt: new Date(dueAt).toISOString() }),
          workload: { kind: "Deployment", namespace: "shop", name: "web", uid: "w" },
          rollout: id,
          ...(reason === undefined ? {} : { reason }),
          ...(message === undefined ? {} : { message }),
        },
      } as unknown as OutboxEvent;
      const duplicate = entries.some(
        (entry) => entry.type === "event" && entry.event.id === event.id,
      );
      entries.push({ at: at(), type: "event", event, duplicate });
      return history;
    },
    // What events say of themselves has tests of its own.
    says: () =>
      violationsOf(entries)
        .filter(({ property }) => !DATA.some(({ name }) => name === property))
        .map(({ property, what }) => `${property}: ${what}`),
  };
  const rollout = (id: string, value: number) =>
    ({ id, wanted: wanted(value), marker: marker(value), decidedAt: START }) as unknown as Rollout;
  return history;
}

const marker = (value: number) => formatMarker(wanted(value), "shop");

/** Content 1 came while pods ran content 0, and its rollout began. */
function begun() {
  return written()
    .content(0)
    .workload("owner")
    .pod("old")
    .content(1)
    .event("planned", "change 1")
    .rolling("r", 1)
    .workload("rollcast", { marker: marker(1) })
    .event("started", "r");
}

/** Its pods run content 1. */
function replaced() {
  return begun().pod("new").pod("old", "DELETED");
}

const current = { phase: "current", running: wanted(1) } as const;

test("a rollout that began, replaced the pods and succeeded keeps the promise", () => {
  expect(replaced().record(current).event("succeeded", "r", "Complete").says()).toEqual([]);
});

test("succeeded while an old pod runs breaks it", () => {
  const says = begun().pod("new").record(current).event("succeeded", "r", "Complete").says();
  expect(says).toContain(
    "succeeded is true: succeeded, but a pod lacks the content of ConfigMap/cfg",
  );
});

test("a workload that is scaled to nothing succeeds while a pod still ends", () => {
  const history = begun()
    .workload("hpa", { marker: marker(1), replicas: 0 })
    .record(current);
  expect(history.event("succeeded", "r", "ScaledToZero").says()).not.toContainEqual(
    expect.stringContaining("succeeded is true"),
  );
});

/** Its pods wait for their owner to delete them. */
function waiting() {
  return written()
    .content(0)
    .workload("owner", { onDelete: true })
    .pod("web-0")
    .content(1)
    .event("planned", "change 1")
    .rolling("r", 1)
    .workload("rollcast", { marker: marker(1), onDelete: true })
    .event("started", "r")
    .record(current);
}

test("succeeded while pods wait for their owner is true if it names them", () => {
  const message = "1 of 1 pods keep the old template until their owner deletes them";
  const says = (reason: string, text: string) =>
    waiting().event("succeeded", "r", reason, text).says();

  expect(says("OnDelete", `${message}: web-0`)).toEqual([]);
  expect(says("OnDelete", message)).toEqual([]);
  expect(says("OnDelete", `${message}: web-1`)).toEqual([
    "succeeded is true: succeeded (OnDelete), but its message does not name web-0",
  ]);
  expect(says("Complete", "")).toEqual([
    "succeeded is true: succeeded (Complete), but web-0 keeps older content",
  ]);
});

test("a pod that waits for its owner is forgotten where its template has no marker", () => {
  const history = written().content(0).workload("owner", { onDelete: true }).pod("web-0");
  expect(
    history
      .content(1)
      .record({ running: wanted(1) })
      .says(),
  ).toContain(
    "nothing is forgotten: pods that wait for their owner lack the content of ConfigMap/cfg, and nothing says so",
  );
});

test("a pod that came after the rollout may have even newer content", () => {
  const history = begun().content(2).pod("new").pod("old", "DELETED");
  const says = history
    .record({ ...current, running: wanted(2) })
    .event("succeeded", "r")
    .says();
  expect(says).toEqual([]);
});

test("failed for a deadline is true if the cluster has shown that", () => {
  const late = { marker: marker(1), ready: 0 };
  const says = (isLate: boolean, lateSince?: string) =>
    begun()
      .workload("cluster", { ...late, isLate, lateSince })
      .record({ phase: "failed" })
      .event("failed", "r", "ProgressDeadlineExceeded")
      .says();

  const isUntrue =
    "failed is true: failed (ProgressDeadlineExceeded), and the cluster has not shown that";
  expect(says(true)).toEqual([]);
  expect(says(true, "2026-03-01T10:00:00Z")).toEqual([]);
  expect(says(false)).toEqual([isUntrue]);
  // The failure of the rollout before, which its controller has written once more.
  expect(says(true, "2026-03-01T09:50:00Z")).toEqual([isUntrue]);
});

test("failed after the patch was applied is not true", () => {
  const says = replaced().lost().record(current).event("failed", "r", "Timeout").says();
  expect(says).toEqual(["failed is true: failed (Timeout), but the patch was applied"]);
});

test("failed for what did not happen is not true", () => {
  const history = () => written().content(0).workload("owner").rolling("r", 1).record({});
  expect(history().event("failed", "r", "Timeout").says()).toEqual([
    "failed is true: failed (Timeout) after 0 answers were lost",
  ]);
  expect(history().event("failed", "r", "Forbidden").says()).toEqual([
    "failed is true: failed (Forbidden), but nothing was refused",
  ]);
});

test("failed because of the guard is not true", () => {
  const message = "the server rejected our request due to an error in our request";
  const history = written().content(0).rolling("r", 1).refused();
  const says = history.event("failed", "r", "Invalid", message).says();
  expect(says).toContain(
    "failed is true: failed (Invalid), but only somebody else's write was faster",
  );
});

test("failed by a policy is true", () => {
  const history = written().content(0).workload("owner").rolling("r", 1).refused();
  const says = history.record({}).event("failed", "r", "Forbidden", "denied by policy").says();
  expect(says).toEqual([]);
});

test("superseded by an edit is true", () => {
  const history = replaced()
    .workload("owner", { marker: marker(1), edited: "1" })
    .record(current);
  expect(history.event("superseded", "r", "TemplateChanged").says()).toEqual([]);
});

test("superseded by an edit that nobody made is not true", () => {
  const says = replaced().record(current).event("superseded", "r", "TemplateChanged").says();
  expect(says).toEqual([
    "superseded is true: superseded (TemplateChanged), but nobody edited the template",
  ]);
});

test.each([
  ["NewerContent", "no content has changed"],
  ["Requested", "nobody asked for that"],
])("superseded by what did not happen is not true: %s", (reason, not) => {
  const says = replaced().record(current).event("superseded", "r", reason).says();
  expect(says).toEqual([`superseded is true: superseded (${reason}), but ${not}`]);
});

test.each([
  ["Deleted", "nobody deleted the workload"],
  ["JobDeleted", "nobody deleted its Job"],
])("cancelled by what did not happen is not true: %s", (reason, not) => {
  const says = replaced().record(current).event("cancelled", "r", reason).says();
  expect(says).toEqual([`superseded is true: cancelled (${reason}), but ${not}`]);
});

test("a rollout with no end breaks the promise, unless it goes on", () => {
  const goesOn = () => begun().workload("cluster", { marker: marker(1), ready: 0 });

  expect(replaced().record(current).says()).toEqual(["one end: a rollout began and has no end"]);
  expect(goesOn().says()).toEqual([]);
  expect(replaced().says()).toEqual([
    "ends are told: the rollout is complete in the cluster, and no event says so",
  ]);
  expect(goesOn().workload("cluster", { ready: 0, isLate: true }).says()).toContain(
    "ends are told: the rollout is failed in the cluster, and no event says so",
  );
});

test("a rollout that goes on after its time limit has stalled, and one within it has not", () => {
  const goesOn = () => begun().workload("cluster", { marker: marker(1), ready: 0 });

  expect(goesOn().passes(720_000).says()).toEqual([
    "ends are told: the rollout is over its time limit, and no event says that it stalled",
  ]);
  expect(goesOn().passes(640_000).event("stalled", "r").says()).toEqual([]);
  expect(goesOn().passes(900_000).event("stalled", "r").says()).toEqual([
    "ends are told: stalled after 903 s, long after its time limit",
  ]);
  expect(goesOn().passes(10_000).event("stalled", "r").says()).toEqual([
    "ends are told: stalled after 13 s, within its time limit",
  ]);
});

test("an end before the start breaks the promise", () => {
  const history = written().content(0).workload("owner").pod("old").content(1).rolling("r", 1);
  const rolled = history
    .workload("rollcast", { marker: marker(1) })
    .pod("new")
    .pod("old", "DELETED");
  const planned = rolled.event("planned", "change 1").record(current);
  const says = planned.event("succeeded", "r").event("started", "r").says();
  expect(says).toEqual(["one end: a rollout's end (succeeded) comes before its start"]);
});

test("another end of the same rollout breaks the promise", () => {
  const says = replaced().record(current).event("succeeded", "r").event("failed", "r").says();
  expect(says).toEqual(["agree: one rollout is published as succeeded and as failed"]);
});

test("the same content rolled twice breaks the promise", () => {
  const again = formatMarker(wanted(1), "shop", 2);
  const history = replaced().record(current).event("succeeded", "r", "Complete");
  const says = history.workload("rollcast", { marker: again }).says();
  expect(says).toContain("rolled once: the same content is rolled twice");
});

test("content that came back is rolled again with cause where a pod was made without it", () => {
  const again = formatMarker(wanted(1), "shop", 2);
  const ended = () => {
    const rolled = replaced().record(current).event("succeeded", "r", "Complete");
    return rolled.passes(5_000).record(current).content(2);
  };
  const says = (history: ReturnType<typeof ended>) =>
    history
      .content(1)
      .workload("rollcast", { marker: again })
      .says()
      .filter((text) => text.startsWith("rolled once"));

  expect(says(ended().pod("other"))).toEqual([]);
  expect(says(ended())).toEqual(["rolled once: the same content is rolled twice"]);
});

test("a rollout because a source is gone breaks the promise", () => {
  const history = replaced().record(current).event("succeeded", "r", "Complete");
  const deleted = history.object("owner", "DELETED", source("cfg", 1));
  expect(deleted.workload("rollcast", { marker: "{}" }).says()).toContain(
    "rolled once: the workload is rolled because a source is gone",
  );
});

test("a success that is told late breaks the promise", () => {
  const says = replaced()
    .record(current)
    .passes(300_000)
    .event("succeeded", "r", "Complete")
    .says();
  expect(says).toEqual(["ends are told: succeeded is told 306 s after it was complete"]);
});

test("a record that is current after its rollout has failed is not true", () => {
  const last = { rollout: "r", outcome: "failed", time: START, reason: "Complete" } as const;
  const history = begun().workload("cluster", { marker: marker(1), ready: 0, isLate: true });
  const says = history.record({ last }).event("failed", "r", "ProgressDeadlineExceeded").says();
  expect(says).toEqual(["records are true: a record is current after its rollout has failed"]);
});

test("a workload that is rolled though nothing changed since it was made breaks the promise", () => {
  const history = written().content(0).record({}).record({}).workload("owner").pod("new");
  const says = history.workload("rollcast", { marker: marker(0) }).says();
  expect(says).toContain(
    "rolled once: the workload is rolled, and nothing has changed since it was made",
  );
});

test("a rollout that no event mentions breaks the promise", () => {
  const history = written().content(0).workload("owner").pod("old").content(1).rolling("r", 1);
  const says = history
    .workload("rollcast", { marker: marker(1) })
    .pod("new")
    .pod("old", "DELETED");
  expect(says.record(current).says()).toEqual([
    "agree: a workload is rolled, and no event says that it began",
  ]);
});

test("an event of a rollout that never was breaks the promise", () => {
  const history = written().content(0).workload("owner").pod("old").content(1).rolling("r", 1);
  expect(history.event("started", "r").says()).toContain(
    "agree: an event says that a rollout began, and the workload has no marker of it",
  );
});

test("content that no pod has and no record explains is forgotten", () => {
  const history = written().content(0).workload("owner").pod("old").content(1);
  expect(history.record({ running: wanted(0) }).says()).toContain(
    "nothing is forgotten: pods lack the content of ConfigMap/cfg, and the record says current, without a reason",
  );
});

test("a pod that is made while its required source is absent starts with what comes", () => {
  const gone = written().content(0).workload("owner").object("owner", "DELETED", source("cfg", 0));
  expect(
    gone
      .pod("new")
      .content(1)
      .content(2)
      .started("new")
      .record({ running: wanted(2) })
      .says(),
  ).toEqual([]);
});

test("content that pods lack because others do not get ready is not forgotten", () => {
  const history = written().content(0).workload("owner", { ready: 0 }).pod("old").content(1);
  expect(history.record({ running: wanted(0) }).says()).not.toContainEqual(
    expect.stringContaining("nothing is forgotten"),
  );
});

/** Its rollout waits for the end of a freeze. */
function frozen(until: number, due: Partial<WorkloadRecord["due"]>) {
  const history = written().content(0).workload("owner").pod("old").content(1).frozen(until);
  return history.record({
    phase: "deferred",
    running: wanted(0),
    due: { reason: "Frozen", published: true, ...due },
  });
}

const UNTIL = START + 600_000;

test("content that is held with a reason, and an event, is not forgotten", () => {
  const held = () => frozen(UNTIL, { at: UNTIL });
  const published = (dueAt?: number) => held().event("deferred", "r", "Frozen", "", dueAt).says();

  expect(held().says()).toEqual([
    "holds are told: the rollout is held (Frozen), and no event says so",
  ]);
  expect(published(UNTIL)).toEqual([]);
  expect(published()).toEqual([
    "holds are told: deferred (Frozen) until no time, which no freeze says",
  ]);
  expect(published(0)).toEqual([
    "holds are told: deferred (Frozen) until 1970-01-01T00:00:00.000Z, which no freeze says",
  ]);
});

test("a record that does not say until when it is frozen is not an explanation", () => {
  const says = frozen(UNTIL, {}).event("deferred", "r", "Frozen", "", UNTIL).says();
  expect(says).toEqual([
    "nothing is forgotten: pods lack the content of ConfigMap/cfg, and the record says deferred, without a reason",
  ]);
});

test("an event that told of an earlier hold says nothing of this one", () => {
  const history = written().content(0).workload("owner").pod("old").content(1).frozen(UNTIL);
  const due = { reason: "Frozen", published: true, at: UNTIL };
  const held = { phase: "deferred", running: wanted(0), due } as const;
  const before = history.record(held).event("deferred", "q", "Frozen", "", UNTIL);

  expect(
    before
      .record({ running: wanted(0) })
      .record(held)
      .says(),
  ).toEqual(["holds are told: the rollout is held (Frozen), and no event says so"]);
});

test("content that waits for no gate and no time is forgotten", () => {
  const history = written().content(0).workload("owner").pod("old").content(1);
  const due = { reason: "MinInterval", published: true };
  const held = history.record({ phase: "deferred", running: wanted(0), due });
  expect(held.event("deferred", "r", "MinInterval").says()).toEqual([
    "nothing is forgotten: pods lack the content of ConfigMap/cfg, and the record says deferred, without a reason",
    "holds are told: deferred (MinInterval) until no time",
  ]);
});

test("a deferral until a time that is past is not true", () => {
  const history = written().content(0).workload("owner").pod("old");
  expect(history.event("deferred", "r", "MinInterval", "", START).says()).toContain(
    "holds are told: deferred (MinInterval) until 2026-03-01T10:00:00.000Z, which is past",
  );
});

test("content that is refused is told, and tried again", () => {
  const refused = (retryAt: number) =>
    written()
      .content(0)
      .workload("owner")
      .pod("old")
      .content(1)
      .record({
        phase: "failed",
        running: wanted(0),
        failure: { reason: "Forbidden", retryAt } as WorkloadRecord["failure"],
      });
  const published = (retryAt: number) =>
    refused(retryAt).passes(120_000).event("failed", "r", "Forbidden").says();

  expect(refused(UNTIL).says()).toEqual([
    "holds are told: the rollout is held (Forbidden), and no event says so",
  ]);
  expect(published(UNTIL)).toEqual([]);
  expect(published(START)).toEqual([
    "nothing is forgotten: pods lack the content of ConfigMap/cfg, and the record says failed, without a reason",
  ]);
});

test("a rollout that is decided at a closed gate breaks the promise", () => {
  const begunAt = (frozenUntil: number, decidedAt: number) => {
    const rollout = { id: "r", wanted: wanted(1), marker: marker(1), decidedAt };
    const history = written().content(0).workload("owner").pod("old").content(1);
    return history
      .frozen(frozenUntil)
      .record({ phase: "rolling", rollout: rollout as unknown as Rollout })
      .workload("rollcast", { marker: marker(1) })
      .event("started", "r")
      .says()
      .filter((text) => text.startsWith("gates hold"));
  };

  expect(begunAt(UNTIL, START + 30_000)).toEqual([
    "gates hold: a rollout was decided while it was frozen",
  ]);
  expect(begunAt(START + 20_000, START + 30_000)).toEqual([]);
});

test("what is told twice breaks the promise", () => {
  const due = { reason: "Frozen", published: true, at: UNTIL };
  const frozenOnce = frozen(UNTIL, due).event("deferred", "r", "Frozen", "", UNTIL);
  const again = (id: string, uid = "w") => {
    const [event] = frozenOnce.entries.slice(-1);
    if (event?.type !== "event") throw new Error("no event");
    const workload = { ...event.event.data.workload, uid };
    const data = { ...event.event.data, workload };
    frozenOnce.entries.push({ ...event, event: { ...event.event, id, data } });
    return frozenOnce.says().filter((text) => text.startsWith("told once"));
  };

  expect(again("of one that is gone", "before")).toEqual([]);
  expect(again("another")).toEqual(["told once: deferred (Frozen) is told twice"]);
});

test("a rollout that stalls while it is paused breaks the promise", () => {
  const paused = begun().workload("owner", { marker: marker(1), ready: 0, isPaused: true });
  expect(paused.passes(720_000).event("stalled", "r").says()).toEqual([
    "ends are told: stalled, but it is paused",
  ]);
});

test("a success of a workload that was never complete breaks the promise", () => {
  const never = written().content(0).workload("owner").pod("old").content(1).rolling("r", 1);
  const says = never
    .event("planned", "change 1")
    .workload("rollcast", { marker: marker(1), ready: 0 })
    .event("started", "r")
    .pod("new")
    .pod("old", "DELETED")
    .record(current)
    .event("succeeded", "r", "Complete")
    .says();
  expect(says).toEqual(["succeeded is true: succeeded, but it was never complete"]);
});

test("a new pod that is named among those that wait for their owner breaks the promise", () => {
  const says = waiting().pod("web-1").event("succeeded", "r", "OnDelete", "2 of 2: web-0, web-1");
  expect(says.says()).toEqual([
    "succeeded is true: succeeded, but its message names web-1, which is new",
  ]);
});

test("a record whose last outcome is another one than was published is not true", () => {
  const last = { rollout: "r", outcome: "succeeded", time: START, reason: "Complete" } as const;
  const history = begun().workload("cluster", { marker: marker(1), ready: 0, isLate: true });
  const says = history
    .record({ phase: "failed", last })
    .event("failed", "r", "ProgressDeadlineExceeded")
    .says();
  expect(says).toEqual(["records are true: the record says succeeded of a rollout that failed"]);
});

test("content that is deleted is no cause of a rollout", () => {
  const again = formatMarker(wanted(1), "shop", 2);
  const history = replaced().record(current).event("succeeded", "r", "Complete");
  const deleted = history.object("owner", "DELETED", source("cfg", 1));
  expect(deleted.workload("rollcast", { marker: again }).says()).toContain(
    "rolled once: the same content is rolled twice",
  );
});

test("a record that is current with older content is not true", () => {
  const says = replaced()
    .event("succeeded", "r")
    .record({ running: wanted(0) })
    .says();
  expect(says).toEqual([
    `records are true: Deployment/web is current by its record, with older content of ${CFG}`,
  ]);
});

test("a record with events that are not published is not true", () => {
  const outbox = [{}] as unknown as WorkloadRecord["outbox"];
  const says = replaced()
    .event("succeeded", "r")
    .record({ ...current, outbox })
    .says();
  expect(says).toEqual(["records are true: Deployment/web has events that are not published"]);
});

test("a record of a workload that is gone is not true", () => {
  const says = replaced()
    .event("succeeded", "r")
    .record({ ...current, uid: "other" })
    .says();
  expect(says).toContain("records are true: a workload that is gone has a record");
});

test("a rollout that begins unannounced breaks the promise", () => {
  const history = written().content(0).workload("owner").pod("old").content(1).rolling("r", 1);
  const rolled = history.workload("rollcast", { marker: marker(1) }).event("started", "r");
  const replacedPods = rolled.pod("new").pod("old", "DELETED").record(current);
  expect(replacedPods.event("succeeded", "r").says()).toEqual([
    "plans are told: a rollout began, and no event has said it is planned",
  ]);
});
