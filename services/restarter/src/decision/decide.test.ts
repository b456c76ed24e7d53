import { deployment } from "@rollcast/kube/workloads/deployment";
import type { KubeObject } from "@rollcast/kube/object";
import type { SourceRecord } from "@rollcast/shared/records";
import { describe, expect, test } from "vitest";
import { rulesOf } from "../../test/given.ts";
import {
  ABSENT,
  MARKER,
  UNKNOWN,
  contentDigest,
  contentsHash,
  formatMarker,
  sourceKey,
} from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import { decide } from "./decide.ts";
import { patchedRecord } from "./applied.ts";
import { causeOf } from "./rollout.ts";
import { newestChange } from "./running-content.ts";
import type { Decision, DecisionInput } from "./decision.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { Rules } from "../model/rules.ts";
import { projectWorkload } from "../index/project-workload.ts";
import type { Workload } from "../model/workload.ts";

const rules = rulesOf();
const T0 = Date.parse("2026-01-10T12:00:00.000Z");
const at = (seconds: number) => T0 + seconds * 1_000;
const breaker = { maxRollouts: 20, period: 600_000, minInterval: 10_000, maxInterval: 900_000 };
const CFG: SourceKey = sourceKey("ConfigMap", "shop", "cfg");

type Shape = {
  generation?: number;
  uid?: string;
  marker?: string;
  image?: string;
  editedAt?: number;
  createdAt?: number;
  auto?: string;
  annotations?: Record<string, string>;
  paused?: boolean;
  replicas?: number;
  status?: Record<string, unknown>;
  deleting?: boolean;
  extraKeys?: string[];
  rules?: Rules;
};

function workload(shape: Shape = {}): Workload {
  const generation = shape.generation ?? 1;
  const object: KubeObject = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: "web",
      namespace: "shop",
      uid: shape.uid ?? "uid-1",
      resourceVersion: "100",
      generation,
      creationTimestamp: new Date(shape.createdAt ?? at(-3_600)).toISOString(),
      annotations: { "reloader.stakater.com/auto": shape.auto ?? "true", ...shape.annotations },
      deletionTimestamp: shape.deleting === true ? new Date(T0).toISOString() : undefined,
      managedFields: [
        {
          manager: "kubectl",
          operation: "Update",
          time: new Date(shape.editedAt ?? shape.createdAt ?? at(-3_600)).toISOString(),
          fieldsV1: { "f:spec": { "f:template": {} } },
        },
      ],
    },
    spec: {
      replicas: shape.replicas ?? 1,
      paused: shape.paused === true ? true : undefined,
      template: {
        metadata: {
          labels: { app: "web" },
          annotations: shape.marker === undefined ? undefined : { [MARKER]: shape.marker },
        },
        spec: {
          containers: [
            {
              name: "web",
              image: shape.image ?? "web:1",
              env: ["a", ...(shape.extraKeys ?? [])].map((key) => ({
                name: key,
                valueFrom: { configMapKeyRef: { name: "cfg", key } },
              })),
            },
          ],
        },
      },
    },
    status: shape.status ?? { observedGeneration: generation, replicas: 1, updatedReplicas: 0 },
  };
  return projectWorkload(deployment, object, shape.rules ?? rules);
}

const complete = (generation: number) => ({
  observedGeneration: generation,
  replicas: 1,
  updatedReplicas: 1,
  availableReplicas: 1,
});

function source(content: string, over: Partial<SourceRecord> = {}): SourceRecord {
  return {
    v: 1,
    kind: "ConfigMap",
    namespace: "shop",
    name: "cfg",
    uid: "src-1",
    resourceVersion: "50",
    keyId: "k1",
    digests: { a: content.padEnd(32, "0"), b: "0".repeat(32) },
    state: "published",
    change: "changed",
    createdAt: at(-7_200),
    annotations: {},
    ...over,
  };
}

function input(over: Partial<DecisionInput> & { source?: SourceRecord }): DecisionInput {
  const { source: given, ...rest } = over;
  return {
    admission: { queue: "default", haltAfter: 3, failures: [], quota: "none" },
    rules,
    workload: workload(),
    record: undefined,
    sources: new Map([[CFG, given ?? source("aa")]]),
    installedAt: at(-60),
    now: T0,
    mode: "active",
    breaker,
    stalledAfterMs: 600_000,
    affected: () => 3,
    newId: "rollout-1",
    trusted: false,
    ...rest,
  };
}

function recordOf(decision: Decision): WorkloadRecord {
  if (decision.do === "requeue") throw new Error("no record");
  return decision.record;
}

/** The record of a workload adopted with content `content`. */
function adopted(content = "aa", shape: Shape = {}): WorkloadRecord {
  return recordOf(decide(input({ workload: workload(shape), source: source(content) })));
}

/** The record after the rollout to `content` was applied. */
function rolling(content = "bb"): { record: WorkloadRecord; marker: string } {
  const changed = source(content, { changedAt: at(-1) });
  const decision = decide(input({ record: adopted(), source: changed }));
  if (decision.do !== "roll") throw new Error("does not roll");
  const { rollout } = decision.record;
  const patched = workload({ generation: 2, marker: rollout.marker });
  const record = patchedRecord(
    { workload: patched, now: at(0), breaker, stalledAfterMs: 1 },
    decision.record,
    rollout,
    2,
  );
  return { record, marker: rollout.marker };
}

describe("first evaluation", () => {
  test("adopts the present content and rolls nothing", () => {
    const decision = decide(input({}));
    expect(decision).toMatchObject({ do: "keep", changed: true, record: { phase: "current" } });
    expect(recordOf(decision).running[CFG]?.digest).toBe(contentDigest(source("aa"), ["a"]));
    expect(recordOf(decision).outbox).toEqual([]);
  });

  test("adopts a marker on the template and rolls what differs from it", () => {
    const marker = formatMarker({ [CFG]: { digest: contentDigest(source("aa"), ["a"]) } }, "shop");
    const own = { ...workload({ marker }), ownsMarker: true as const };
    expect(decide(input({ workload: own })).do).toBe("keep");
    expect(decide(input({ workload: own, source: source("bb") })).do).toBe("roll");
  });

  test("a marker that others have written, as with an exported manifest, says nothing of its pods", () => {
    const marker = formatMarker({ [CFG]: { digest: contentDigest(source("aa"), ["a"]) } }, "shop");
    const copy = workload({ marker });
    expect(decide(input({ workload: copy, source: source("bb") })).do).toBe("keep");
  });

  test("a rollout says how many workloads its cause rolls, and at least itself", () => {
    const marker = formatMarker({ [CFG]: { digest: contentDigest(source("aa"), ["a"]) } }, "shop");
    const own = { ...workload({ marker }), ownsMarker: true as const };
    const due = { workload: own, source: source("bb") };
    expect(recordOf(decide(input(due))).rollout?.affected).toBe(3);
    const behind = input({ ...due, affected: () => 0 });
    expect(recordOf(decide(behind)).rollout?.affected).toBe(1);
  });

  test("a marker made under another installation key is no reason to roll", () => {
    const other = contentDigest(source("aa", { keyId: "k9" }), ["a"]);
    const marker = formatMarker({ [CFG]: { digest: other } }, "shop");
    expect(decide(input({ workload: workload({ marker }) })).do).toBe("keep");
  });

  test.each([
    {
      name: "an old workload is adopted although its source changed after its start",
      createdAt: at(-3_600),
      changedAt: at(-5),
      want: "keep",
    },
    {
      name: "a young one is due when its source changed after its start",
      createdAt: at(-30),
      changedAt: at(-5),
      want: "roll",
    },
    {
      name: "a young one is due when its source changed in the second of its start",
      createdAt: at(-30),
      changedAt: at(-30) + 900,
      want: "roll",
    },
    {
      name: "a young one is adopted when its source changed before its start",
      createdAt: at(-30),
      changedAt: at(-31),
      want: "keep",
    },
    {
      name: "a young one is adopted when its source was only created",
      createdAt: at(-30),
      changedAt: undefined,
      want: "keep",
    },
  ])("$name", ({ createdAt, changedAt, want }) => {
    const record = source("bb", changedAt === undefined ? {} : { changedAt });
    const decision = decide(input({ workload: workload({ createdAt }), source: record }));
    expect(decision.do).toBe(want);
    const running = recordOf(decision).running[CFG]?.digest;
    expect(running === UNKNOWN).toBe(want === "roll");
  });

  test.each([
    ["later", "40", "roll"],
    ["earlier", "60", "keep"],
  ])(
    "of a change in the second in which a young one was seen to be created, by version %s",
    (_, editedVersion, want) => {
      const shown = { editedVersion, createdVersion: editedVersion };
      const edited = { ...workload({ createdAt: at(-30) }), ...shown };
      const changed = { ...source("bb", { changedAt: at(-30) + 900 }), resourceVersion: "50" };
      expect(decide(input({ workload: edited, source: changed })).do).toBe(want);
    },
  );

  test("a missing source is adopted when created, and due if it changed later", () => {
    const absent = recordOf(decide({ ...input({}), sources: new Map() }));
    expect(absent.running[CFG]?.digest).toBe(ABSENT);
    expect(decide(input({ record: absent, now: at(5) })).do).toBe("keep");
    const changed = source("bb", { changedAt: at(4) });
    expect(decide(input({ record: absent, source: changed, now: at(5) })).do).toBe("roll");
  });
});

describe("changes", () => {
  test("new content rolls once: pending with the marker, guarded by the generation", () => {
    const changed = source("bb", { changedAt: at(-1), changedBy: { manager: "kubectl-edit" } });
    const decision = decide(input({ record: adopted(), source: changed }));
    expect(decision).toMatchObject({
      do: "roll",
      changed: true,
      record: {
        phase: "pending",
        rollout: {
          id: "rollout-1",
          guard: 1,
          cause: { name: "cfg", changedBy: { manager: "kubectl-edit" } },
        },
      },
    });
  });

  test.each([
    ["changed", { changedAt: at(-4) }, "cfg"],
    ["was created", { name: "late", createdAt: at(-3) }, "late"],
    ["was made again", { name: "late", changedAt: at(-9), createdAt: at(-3) }, "late"],
    ["was deleted", { name: "late", changedAt: at(-9), deletedAt: at(-3) }, "late"],
  ])("the cause of a rollout is the source that %s last", (_, last, cause) => {
    const late: SourceKey = sourceKey("ConfigMap", "shop", "late");
    const old = source("cc", { name: "late", changedAt: at(-20) });
    const sources = new Map([
      [CFG, source("bb", { changedAt: at(-5), ...(cause === "cfg" ? last : {}) })],
      [late, cause === "late" ? source("cc", last) : old],
    ]);
    expect(causeOf(input({ sources }), [CFG, late])?.name).toBe(cause);
    expect(causeOf(input({ sources }), [late, CFG])?.name).toBe(cause);
  });

  test("a time to healthy counts from the last change that is recorded, not from a creation", () => {
    const late: SourceKey = sourceKey("ConfigMap", "shop", "late");
    const created = source("cc", { name: "late", createdAt: at(-3) });
    const sources = new Map([
      [CFG, source("bb", { changedAt: at(-5) })],
      [late, created],
    ]);
    expect(newestChange(input({ sources }), [CFG, late])).toBe(at(-5));
    expect(newestChange(input({ sources }), [late])).toBeUndefined();
  });

  test("a key that the workload does not use is no change", () => {
    const changed = source("aa", { digests: { a: "aa".padEnd(32, "0"), b: "f".repeat(32) } });
    expect(decide(input({ record: adopted(), source: changed })).do).toBe("keep");
  });

  test("the same input gives the same decision", () => {
    const s = input({ record: adopted(), source: source("bb") });
    expect(decide(s)).toEqual(decide(s));
  });

  test("a pending record of the same content is applied unchanged, without a write", () => {
    const s = input({ record: adopted(), source: source("bb") });
    const pending = recordOf(decide(s));
    const again = decide({ ...s, record: pending, newId: "rollout-2" });
    expect(again).toMatchObject({
      do: "roll",
      changed: false,
      record: { rollout: { id: "rollout-1" } },
    });
  });

  test("a pending record whose workload moved on is guarded anew under the same id", () => {
    const s = input({ record: adopted(), source: source("bb") });
    const pending = recordOf(decide(s));
    const again = decide({
      ...s,
      record: pending,
      newId: "rollout-2",
      workload: workload({ generation: 2 }),
    });
    expect(again).toMatchObject({
      do: "roll",
      changed: true,
      record: { rollout: { id: "rollout-1", guard: 2 } },
    });
  });

  test("other content than a pending record has is another rollout, and both may have been applied", () => {
    const pending = recordOf(decide(input({ record: adopted(), source: source("bb") })));
    const other = input({ record: pending, source: source("cc"), newId: "rollout-2" });

    expect(recordOf(decide(other))).toMatchObject({
      rollout: { id: "rollout-2" },
      unconfirmed: [{ id: "rollout-1" }],
    });
  });

  test("content reverted before the patch rolls nothing", () => {
    const pending = recordOf(decide(input({ record: adopted(), source: source("bb") })));
    const back = decide(input({ record: pending, source: source("aa") }));
    expect(back).toMatchObject({ do: "keep", changed: true, record: { phase: "current" } });
    expect(recordOf(back).rollout).toBeUndefined();
  });

  test("a deleted source rolls nothing, and nothing when it returns with the same data", () => {
    const record = adopted();
    const gone = decide(input({ record, source: source("aa", { deletedAt: T0 }) }));
    expect(gone.do).toBe("keep");
    expect(decide(input({ record: recordOf(gone) })).do).toBe("keep");
    expect(decide(input({ record: recordOf(gone), source: source("bb") })).do).toBe("roll");
  });

  test("a rollback that left the wanted marker on the template still gets a different one", () => {
    const { record } = rolling("bb");
    const first = formatMarker({ [CFG]: { digest: contentDigest(source("cc"), ["a"]) } }, "shop");
    const rolledBack = workload({ generation: 3, marker: first });
    const decision = decide(input({ record, workload: rolledBack, source: source("cc") }));
    expect(decision.do).toBe("roll");
    expect(recordOf(decision).rollout?.marker).not.toBe(first);
  });

  test("a workload being deleted is ignored", () => {
    const s = input({
      record: adopted(),
      source: source("bb"),
      workload: workload({ deleting: true }),
    });
    expect(decide(s).do).toBe("keep");
  });
});

describe("crash recovery", () => {
  test("a pending record past its guard with the wanted marker was patched: it is followed, and its start is reported", () => {
    const pending = recordOf(decide(input({ record: adopted(), source: source("bb") })));
    const patched = workload({ generation: 2, marker: pending.rollout?.marker ?? "" });
    const decision = decide(input({ record: pending, workload: patched, source: source("bb") }));
    expect(decision).toMatchObject({
      do: "keep",
      changed: true,
      record: { phase: "rolling", rollout: { generation: 2 } },
    });
    expect(recordOf(decision).outbox.map((event) => event.outcome)).toEqual(["started"]);
  });

  test("and newer content supersedes it, both reported in order", () => {
    const pending = recordOf(decide(input({ record: adopted(), source: source("bb") })));
    const patched = workload({ generation: 2, marker: pending.rollout?.marker ?? "" });
    const decision = decide(
      input({ record: pending, workload: patched, source: source("cc"), newId: "rollout-2" }),
    );
    expect(decision).toMatchObject({
      do: "roll",
      record: { rollout: { id: "rollout-2", guard: 2 } },
    });
    expect(recordOf(decision).outbox.map((event) => event.outcome)).toEqual([
      "started",
      "superseded",
    ]);
  });

  test("an index older than the record does not decide; the API server does", () => {
    const { record } = rolling();
    const behind = input({
      record,
      source: source("bb"),
      workload: workload({ generation: 1 }),
    });
    expect(decide(behind)).toEqual({ do: "requeue", refetch: false });
    expect(decide({ ...behind, trusted: true }).do).not.toBe("requeue");
  });

  test("another uid is another workload: read, then adopted, the old rollout cancelled", () => {
    const { record } = rolling();
    const other = input({ record, source: source("bb"), workload: workload({ uid: "uid-2" }) });
    expect(decide(other)).toEqual({ do: "requeue", refetch: true });
    const decision = decide({ ...other, trusted: true });
    expect(decision).toMatchObject({ do: "keep", record: { uid: "uid-2", phase: "current" } });
    expect(recordOf(decision).outbox.map((event) => event.outcome)).toEqual(["cancelled"]);
  });
});

describe("following", () => {
  test.each([
    {
      name: "complete ends as succeeded",
      status: complete(2),
      outcome: "succeeded",
      phase: "current",
    },
    {
      name: "ProgressDeadlineExceeded ends as failed with the cluster's reason",
      status: {
        observedGeneration: 2,
        conditions: [
          {
            type: "Progressing",
            status: "False",
            reason: "ProgressDeadlineExceeded",
            message: "timed out",
          },
        ],
      },
      outcome: "failed",
      phase: "failed",
    },
  ])("$name", ({ status, outcome, phase }) => {
    const { record, marker } = rolling();
    const decision = decide(
      input({
        record,
        source: source("bb"),
        workload: workload({ generation: 2, marker, status }),
        now: at(3),
      }),
    );
    expect(decision).toMatchObject({ do: "keep", changed: true, record: { phase } });
    expect(recordOf(decision).outbox).toMatchObject([{ outcome, data: { durationMs: 3_000 } }]);
  });

  test("newer content during a rollout supersedes it and rolls again", () => {
    const { record, marker } = rolling();
    const decision = decide(
      input({
        record,
        source: source("cc"),
        workload: workload({ generation: 2, marker }),
        newId: "rollout-2",
      }),
    );
    expect(decision).toMatchObject({ do: "roll", record: { rollout: { id: "rollout-2" } } });
    expect(recordOf(decision).outbox).toMatchObject([
      { outcome: "superseded", data: { reason: "NewerContent" } },
    ]);
  });

  test("a template edit by others during a rollout supersedes it and rolls nothing more", () => {
    const { record, marker } = rolling();
    const edited = workload({ generation: 3, marker, image: "web:2", editedAt: at(2) });
    const decision = decide(
      input({ record, source: source("bb", { changedAt: at(-1) }), workload: edited }),
    );
    expect(decision).toMatchObject({ do: "keep", record: { phase: "current" } });
    expect(recordOf(decision).outbox).toMatchObject([
      { outcome: "superseded", data: { reason: "TemplateChanged" } },
    ]);
  });

  test.each([
    { name: "taken off", marker: undefined, says: "taken off the pod template" },
    { name: "replaced by an earlier one", marker: "earlier", says: "replaced on the pod template" },
  ])(
    "a marker that is $name in mid-rollout ends it, and it is rolled again",
    ({ marker, says }) => {
      const { record } = rolling();
      const undone = {
        ...workload({ generation: 3, marker: marker ?? "" }),
        marker,
        ownsMarker: undefined,
        editor: { manager: "some-operator", time: record.rollout?.startedAt ?? 0 },
      };
      const decision = decide(input({ record, source: source("bb"), workload: undone }));

      expect(decision).toMatchObject({
        do: "roll",
        record: { phase: "pending", stripped: { count: 1 } },
      });
      expect(recordOf(decision).outbox).toMatchObject([
        { outcome: "superseded", data: { reason: "MarkerRemoved" } },
      ]);
      const { message = "" } = recordOf(decision).outbox[0]?.data ?? {};
      expect(message).toContain(says);
      expect(message).toContain("field manager some-operator");
      // Pods of the first attempt must not count as those of this one.
      expect(recordOf(decision).rollout?.marker).not.toBe(record.rollout?.marker);
    },
  );

  test("a marker that is taken off three times in a row is not written by itself again, but on request", () => {
    let { record } = rolling();
    const words: string[] = [];
    for (let generation = 3; ; generation += 2) {
      const undone = { ...workload({ generation }), ownsMarker: undefined };
      const decision = decide(input({ record, source: source("bb"), workload: undone }));
      words.push(...recordOf(decision).outbox.map(({ data }) => data.reason ?? ""));
      record = { ...recordOf(decision), outbox: [] };
      if (decision.do !== "roll") break;
      record = patchedRecord(
        input({ workload: undone }),
        record,
        decision.record.rollout,
        generation + 1,
      );
    }
    expect(words).toEqual(["MarkerRemoved", "MarkerRemoved", "MarkerRemoved", "MarkerStripped"]);
    expect(record).toMatchObject({ phase: "deferred", due: { reason: "MarkerStripped" } });
    const asIs = { record, workload: { ...workload({ generation: record.generation }) } };
    expect(decide(input({ ...asIs, source: source("bb") }))).toMatchObject({
      do: "wait",
      changed: false,
    });
    expect(decide(input({ ...asIs, source: source("cc") })).do).toBe("roll");
    const requests = [{ id: "q", at: 0, by: "anna", done: false }];
    const wanted = { ...asIs, record: { ...record, requests } };
    expect(decide(input({ ...wanted, source: source("bb") })).do).toBe("roll");
  });

  test("a new template that the watch has not shown waits for it, unless it was just read", () => {
    const record = adopted("aa");
    const ahead = { ...workload({ generation: 2, image: "web:2" }), isAhead: true as const };
    expect(decide(input({ record, workload: ahead }))).toEqual({ do: "requeue", refetch: false });
    expect(decide(input({ record, workload: ahead, trusted: true })).do).toBe("keep");
    const same = { ...workload({ generation: 2 }), isAhead: true as const };
    expect(decide(input({ record, workload: same })).do).toBe("keep");
  });

  test("a marker that goes at rest is an edit: what changed before it is current", () => {
    const { record, marker } = rolling();
    const done = workload({ generation: 2, marker, status: complete(2) });
    const current = recordOf(decide(input({ record, source: source("bb"), workload: done })));
    expect(current.phase).toBe("current");
    const replaced = (editedAt: number) =>
      decide(
        input({
          record: { ...current, outbox: [] },
          source: source("cc", { changedAt: at(20) }),
          now: at(60),
          workload: { ...workload({ generation: 3 }), ownsMarker: undefined, editedAt },
        }),
      );
    expect(replaced(at(30))).toMatchObject({ do: "keep" });
    expect(replaced(at(10))).toMatchObject({ do: "roll" });
  });

  test("the deadline is reported once, as a warning, and not while paused", () => {
    const { record, marker } = rolling();
    const late = { record, source: source("bb"), now: at(3_600) };
    const paused = decide(
      input({ ...late, workload: workload({ generation: 2, marker, paused: true }) }),
    );
    expect(recordOf(paused).outbox).toEqual([]);
    const stalled = decide(input({ ...late, workload: workload({ generation: 2, marker }) }));
    const { changes = [] } = record.rollout ?? {};
    expect(changes).toHaveLength(1);
    expect(recordOf(stalled)).toMatchObject({
      phase: "rolling",
      outbox: [{ outcome: "stalled", failedChanges: changes }],
    });
    const reported = { ...recordOf(stalled), outbox: [] };
    const again = decide(
      input({ ...late, record: reported, workload: workload({ generation: 2, marker }) }),
    );
    expect(again).toMatchObject({ do: "keep", changed: false });
    const ended = workload({ generation: 2, marker, status: complete(2) });
    const through = decide(input({ ...late, record: reported, workload: ended }));
    expect(recordOf(through).outbox).toMatchObject([{ outcome: "succeeded", clearsFailure: true }]);
  });
});

test("a pause suspends the deadline, and a resume starts it anew", () => {
  const { record, marker } = rolling();
  const on = (now: number, from: WorkloadRecord, shape: Shape) => {
    const target = workload({ generation: 2, marker, ...shape });
    return decide(input({ record: from, source: source("bb"), now: at(now), workload: target }));
  };
  const paused = recordOf(on(60, record, { paused: true }));
  expect(paused.rollout?.deadline).toBeUndefined();
  expect(on(7_200, paused, { paused: true })).toMatchObject({ do: "keep", changed: false });
  const resumed = recordOf(on(7_200, paused, {}));
  expect(resumed).toMatchObject({ outbox: [], rollout: { deadline: at(7_805) } });
  expect(recordOf(on(7_806, resumed, {})).outbox).toMatchObject([{ outcome: "stalled" }]);
});

describe("edits by others", () => {
  test("an edit makes earlier changes current", () => {
    const edited = workload({ generation: 2, image: "web:2", editedAt: at(-1) });
    const changed = source("bb", { changedAt: at(-5) });
    const decision = decide(input({ record: adopted(), workload: edited, source: changed }));
    expect(decision).toMatchObject({ do: "keep", changed: true });
    expect(recordOf(decision).running[CFG]?.digest).toBe(contentDigest(changed, ["a"]));
  });

  test("a change after the edit rolls", () => {
    const edited = workload({ generation: 2, image: "web:2", editedAt: at(-5) });
    const changed = source("bb", { changedAt: at(-1) });
    expect(decide(input({ record: adopted(), workload: edited, source: changed })).do).toBe("roll");
  });

  test("a change in the same second as the edit rolls, if only the second is known", () => {
    const edited = workload({ generation: 2, image: "web:2", editedAt: at(-1) });
    const changed = source("bb", { changedAt: at(-1) - 500, changedWithin: 999 });
    const s = input({ record: adopted(), workload: edited, source: changed });
    expect(decide(s).do).toBe("roll");
    const exact = source("bb", { changedAt: at(-1) - 500, changedWithin: 0 });
    expect(decide({ ...s, sources: new Map([[CFG, exact]]) }).do).toBe("keep");
  });

  test.each([
    ["after the edit, though the clocks say before it", "300", at(-5), "roll"],
    ["before it, as the clocks say", "90", at(-5), "keep"],
    ["before it, though the clocks say after it", "90", at(1), "roll"],
    ["after it, as the clocks say", "300", at(1), "roll"],
  ])("a change whose version is %s", (_, resourceVersion, changedAt, expected) => {
    const edited = workload({ generation: 2, image: "web:2", editedAt: at(-1) });
    const changed = { ...source("bb", { changedAt }), resourceVersion };
    const s = input({
      record: adopted(),
      workload: { ...edited, editedVersion: "200" },
      source: changed,
    });
    expect(decide(s).do).toBe(expected);
  });

  test("an edit of a paused workload restarts nothing, so it makes nothing current", () => {
    const edited = workload({ generation: 2, image: "web:2", editedAt: at(-1), paused: true });
    const changed = source("bb", { changedAt: at(-5) });
    expect(decide(input({ record: adopted(), workload: edited, source: changed })).do).toBe("roll");
  });

  test("a key that an edit added is adopted", () => {
    const edited = workload({ generation: 2, extraKeys: ["b"], editedAt: at(-1) });
    expect(decide(input({ record: adopted(), workload: edited })).do).toBe("keep");
  });
});

describe("modes and waits", () => {
  test("observe reports once per content and patches nothing", () => {
    const s = input({ record: adopted(), source: source("bb"), mode: "observe" });
    const first = decide(s);
    expect(first).toMatchObject({ do: "skip", changed: true });
    expect(recordOf(first).outbox).toMatchObject([
      { outcome: "skipped", data: { reason: "Observe" } },
    ]);
    const reported = { ...recordOf(first), outbox: [] };
    expect(decide({ ...s, record: reported })).toMatchObject({ do: "keep", changed: false });
    expect(decide({ ...s, record: reported, mode: "active" }).do).toBe("roll");
  });

  test("a refused patch waits for its time, another content or a change of the workload", () => {
    const s = input({ record: adopted(), source: source("bb") });
    const pending = decide(s);
    if (pending.do !== "roll") throw new Error("does not roll");
    const { rollout: _rollout, ...record } = pending.record;
    const failure = {
      wanted: "",
      reason: "Forbidden",
      message: "no",
      generation: 1,
      attempts: 1,
      retryAt: at(30),
    };
    const hash = hashOf(pending.record);
    const refused: WorkloadRecord = {
      ...record,
      phase: "failed",
      failure: { ...failure, wanted: hash },
    };
    expect(decide({ ...s, record: refused })).toMatchObject({ do: "wait", until: at(30) });
    expect(decide({ ...s, record: refused, now: at(31) }).do).toBe("roll");
    expect(decide({ ...s, record: refused, sources: new Map([[CFG, source("cc")]]) }).do).toBe(
      "roll",
    );
    expect(decide({ ...s, record: refused, workload: workload({ generation: 2 }) }).do).toBe(
      "roll",
    );
    expect(
      decide({ ...s, record: refused, sources: new Map([[CFG, source("aa")]]) }),
    ).toMatchObject({
      do: "keep",
      record: { phase: "current" },
    });
  });

  test("min-interval defers and is reported once", () => {
    const annotations = { "rollcast.dev/min-interval": "1m" };
    const record = { ...adopted("aa", { annotations }), history: [at(-20)] };
    const s = input({ record, source: source("bb"), workload: workload({ annotations }) });
    const first = decide(s);
    expect(first).toMatchObject({ do: "wait", until: at(40), record: { phase: "deferred" } });
    expect(recordOf(first).outbox).toMatchObject([
      { outcome: "deferred", data: { reason: "MinInterval" } },
    ]);
    const reported = { ...recordOf(first), outbox: [] };
    expect(
      recordOf(decide({ ...s, record: reported, sources: new Map([[CFG, source("cc")]]) })).outbox,
    ).toEqual([]);
    expect(decide({ ...s, record: reported, now: at(41) }).do).toBe("roll");
  });
});

function hashOf(record: WorkloadRecord): string {
  return contentsHash(record.rollout?.wanted ?? {});
}

describe("configured rollouts besides changes", () => {
  const eager = rulesOf({ onCreate: true, onDelete: true });
  const without = () => {
    const s = { ...input({ rules: eager }), sources: new Map([[CFG, undefined]]) };
    return recordOf(decide(s));
  };

  test("onCreate: a source that an existing workload lacked is due when created", () => {
    const made = source("aa", { change: "created", createdAt: at(4) });
    const on = input({ rules: eager, record: without(), source: made, now: at(5) });
    expect(decide(on).do).toBe("roll");
    expect(decide({ ...on, rules }).do).toBe("keep");
    const adoptedByWatcher = source("aa", { change: "none" });
    expect(decide({ ...on, sources: new Map([[CFG, adoptedByWatcher]]) }).do).toBe("keep");
  });

  test.each([
    ["in an earlier second", at(-61), undefined, "keep"],
    ["in the same second", at(-60), undefined, "roll"],
    ["later", at(4), undefined, "roll"],
    ["in an earlier second by a clock that is wrong", at(-61), "9", "roll"],
  ])(
    "onCreate: of a source that is seen late and was created %s",
    (_, createdAt, version, want) => {
      const edited = workload({ createdAt: at(-60) });
      const made = source("aa", { change: "created", createdAt, resourceVersion: version ?? "1" });
      const on = input({
        rules: eager,
        workload: { ...edited, editedVersion: "5" },
        record: without(),
        source: made,
        now: at(5),
      });
      expect(decide(on).do).toBe(want);
    },
  );

  describe("a source that comes back with other content", () => {
    const GONE = { deletedAt: at(-31), resourceVersion: "40" };
    const young = { ...workload({ createdAt: at(-30) }), createdVersion: "41" };
    const back = (over: Partial<SourceRecord> = {}) =>
      source("bb", {
        createdAt: at(4),
        changedAt: at(4),
        resourceVersion: "60",
        tombstone: GONE,
        ...over,
      });
    /** The record of a workload that was looked at while the source was gone. */
    const lacking = (made: Workload, gone: Partial<SourceRecord> = GONE) =>
      recordOf(
        decide(
          input({
            workload: made,
            source: source("aa", { change: "deleted", changedAt: at(-90), ...GONE, ...gone }),
          }),
        ),
      );
    const on = (made: Workload, record: WorkloadRecord | undefined, returned = back()) =>
      decide(input({ workload: made, record, source: returned, now: at(5) })).do;

    test("after a workload that was made without it rolls that by reload.onCreate alone", () => {
      expect(on(young, lacking(young))).toBe("keep");
      // Nobody has looked at the workload before.
      expect(on(young, undefined)).toBe("keep");
      const created = input({ rules: eager, workload: young, source: back(), now: at(5) });
      expect(decide({ ...created, record: lacking(young) }).do).toBe("roll");
    });

    test("rolls a workload that may have had it before", () => {
      const gone = { deletedAt: at(-28), resourceVersion: "42" };
      const again = back({ tombstone: gone });
      expect(on(young, lacking(young, gone), again)).toBe("roll");
      expect(on(young, undefined, again)).toBe("roll");
      const listed = { ...young, createdVersion: undefined };
      expect(on(listed, lacking(listed))).toBe("roll");
      // Of the same second only the versions say which came first.
      const sameSecond = { deletedAt: at(-30) + 500, resourceVersion: "42" };
      expect(on(young, lacking(young, sameSecond), back({ tombstone: sameSecond }))).toBe("roll");
      const before = { ...sameSecond, resourceVersion: "40" };
      expect(on(young, lacking(young, before), back({ tombstone: before }))).toBe("keep");
    });

    test("rolls where it has been there in between, or has changed since", () => {
      const between = back({ tombstone: { deletedAt: at(3), resourceVersion: "55" } });
      expect(on(young, lacking(young), between)).toBe("roll");
      expect(on(young, lacking(young), back({ tombstone: undefined }))).toBe("roll");
    });
  });

  test("onDelete: a deleted source is due, an unknown one is not", () => {
    const gone = source("aa", { change: "deleted", deletedAt: at(4) });
    const on = input({ rules: eager, record: adopted(), source: gone, now: at(5) });
    const decision = decide(on);
    expect(decision.do).toBe("roll");
    expect(recordOf(decision).rollout?.wanted[CFG]).toMatchObject({ digest: ABSENT, since: at(5) });
    expect(decide({ ...on, rules }).do).toBe("keep");
    expect(decide({ ...on, sources: new Map([[CFG, undefined]]) }).do).toBe("keep");
  });

  test("effect notify is reported once per content and never rolled", () => {
    const shape = { annotations: { "rollcast.dev/effect": "notify" } };
    const s = input({
      workload: workload(shape),
      record: adopted(),
      source: source("bb", { changedAt: at(-1) }),
    });
    const first = decide(s);
    expect(first.do).toBe("skip");
    expect(recordOf(first).outbox).toMatchObject([
      { outcome: "skipped", data: { reason: "Notify" } },
    ]);
    expect(decide({ ...s, record: recordOf(first) }).do).toBe("keep");
  });

  test("an effect that cannot be read is never rolled either", () => {
    const changed = input({
      workload: workload({ annotations: { "rollcast.dev/effect": "Notify" } }),
      record: adopted(),
      source: source("bb", { changedAt: at(-1) }),
    });
    expect(decide(changed).do).toBe("skip");
  });

  test("a change waits, without a time, until the duration that cannot be read is mended", () => {
    const changed = (value: string, record: WorkloadRecord) =>
      decide(
        input({
          workload: workload({ annotations: { "rollcast.dev/pause-period": value } }),
          record,
          source: source("bb", { changedAt: at(-1) }),
        }),
      );
    const waiting = changed("5 minutes", adopted());
    expect(waiting).toMatchObject({ do: "wait", until: undefined });
    expect(recordOf(waiting)).toMatchObject({
      phase: "deferred",
      due: { reason: "InvalidAnnotation" },
      outbox: [
        {
          outcome: "deferred",
          data: { reason: "InvalidAnnotation", message: expect.stringContaining('"5 minutes"') },
        },
      ],
    });
    const again = changed("5 min", recordOf(waiting));
    expect(recordOf(again).outbox).toHaveLength(1);
    expect(changed("", recordOf(waiting)).do).toBe("roll");
    expect(changed("5m", recordOf(waiting))).toMatchObject({ do: "wait", until: at(300) });
  });

  test("a source that its own annotation makes count is due for a change since, or in the same edit", () => {
    const shape = {
      auto: "",
      annotations: { "reloader.stakater.com/search": "true" },
    };
    const on = (over: Partial<SourceRecord>, record?: WorkloadRecord) =>
      input({
        workload: workload(shape),
        record,
        source: source("bb", over),
        now: at(9),
      });
    const before = recordOf(decide(on({})));
    expect(before.running).toEqual({});
    const match = { annotations: { "reloader.stakater.com/match": "true" } };
    const seconds = (changed: number) =>
      decide(on({ ...match, changedAt: at(changed), annotatedAt: at(5) }, before)).do;
    expect([seconds(4), seconds(5), seconds(6)]).toEqual(["keep", "roll", "roll"]);
  });

  test("a restart by Reloader is an edit: what changed before it is current, its marks are no template change", () => {
    const marked = (value: string, generation: number, editedAt: number): Workload => {
      const edited = workload({ generation, editedAt });
      return { ...edited, marks: { ...edited.marks, reloader: value } };
    };
    const record = adopted();
    const changed = source("bb", { changedAt: at(1) });
    const reloaded = decide(
      input({ workload: marked("x", 2, at(3)), record, source: changed, now: at(4) }),
    );
    expect(reloaded.do).toBe("keep");
    expect(recordOf(reloaded).marks).toBe("x");
    const ours = decide(
      input({ workload: marked("", 2, at(3)), record, source: changed, now: at(4) }),
    );
    expect(ours.do).toBe("roll");
  });

  test("records which check decided on each source", () => {
    expect(adopted().verdicts).toEqual({ [CFG]: "auto" });
  });
});

describe("gates outside the workload", () => {
  const open: DecisionInput["admission"] = input({}).admission;
  const due = (admission: Partial<DecisionInput["admission"]>, over: Partial<DecisionInput> = {}) =>
    decide(
      input({
        record: adopted(),
        source: source("bb"),
        ...over,
        admission: { ...open, ...admission },
      }),
    );
  const changes = () => {
    const rolled = decide(input({ record: adopted(), source: source("bb") }));
    return recordOf(rolled).rollout?.changes ?? [];
  };
  const failures = (count: number) => [
    { changes: changes(), rollouts: Array.from({ length: count }, (_, i) => `r${i}`) },
  ];

  test.each([
    ["Frozen", { frozen: {} }, undefined],
    ["Frozen", { frozen: { until: at(60) }, quota: "full" }, at(60)],
    ["QueuePaused", { paused: { until: at(90) } }, at(90)],
    ["Halted", { failures: failures(3) }, undefined],
    ["MaxRolling", { quota: "full" }, undefined],
  ] as const)("%s: reported once, due when it opens", (reason, admission, until) => {
    const first = due(admission as Partial<DecisionInput["admission"]>);

    expect(first).toMatchObject({
      do: "wait",
      until,
      record: { phase: "deferred", due: { reason } },
    });
    expect(recordOf(first).outbox).toMatchObject([{ outcome: "deferred", data: { reason } }]);
    expect(recordOf(first).outbox[0]?.data.dueAt).toBe(
      until === undefined ? undefined : new Date(until).toISOString(),
    );
    const record = { ...recordOf(first), outbox: [] };
    const again = due(admission as Partial<DecisionInput["admission"]>, { record });
    expect(again).toMatchObject({ do: "wait", changed: false });
    expect(due({}, { record }).do).toBe("roll");
  });

  test("of several reasons the first is reported, in the documented order", () => {
    const all = { frozen: {}, failures: failures(3), paused: {}, quota: "full" } as const;
    const annotations = { "rollcast.dev/min-interval": "1m" };
    const record = { ...adopted("aa", { annotations }), history: [at(-20)] };
    const over = { record, workload: workload({ annotations }) };
    const reasonWith = (admission: Partial<DecisionInput["admission"]>) =>
      recordOf(due(admission, over)).due?.reason;
    const { frozen: _f, ...noFreeze } = all;
    const { failures: _h, ...noHalt } = noFreeze;
    const { paused: _p, ...noPause } = noHalt;
    expect([all, noFreeze, noHalt, noPause].map(reasonWith)).toEqual([
      "Frozen",
      "Halted",
      "QueuePaused",
      "MinInterval",
    ]);
  });

  test("a halt holds what the change brings, and lets the fix through, or fewer failures than its bound", () => {
    expect(due({ failures: failures(2) }).do).toBe("roll");
    expect(due({ failures: failures(2), haltAfter: 2 }).do).toBe("wait");
    const fix = new Map([[CFG, source("cc", { changedAt: at(-1) })]]);
    expect(due({ failures: failures(3) }, { sources: fix }).do).toBe("roll");
    // The same content again, later, is another change: somebody wrote it again.
    const again = new Map([[CFG, source("bb", { changedAt: at(-1) })]]);
    expect(due({ failures: failures(3) }, { sources: again }).do).toBe("roll");
  });

  test.each([{ frozen: {} }, { quota: "full" }] as const)(
    "a pending rollout that must wait now says so, and its patch is recognised later: %o",
    (admission) => {
      const pending = due({});
      const { record } = pending as { record: WorkloadRecord & { rollout: Rollout } };
      const waiting = due(admission, { record });
      expect(waiting).toMatchObject({ do: "wait", record: { phase: "deferred" } });
      expect(recordOf(waiting).outbox).toHaveLength(1);
      const { marker } = record.rollout;
      const applied = workload({ generation: 2, marker });
      const adopted = due(admission, { record: recordOf(waiting), workload: applied });
      expect(adopted).toMatchObject({
        do: "keep",
        record: { phase: "rolling", rollout: { id: record.rollout.id, generation: 2 } },
      });
      // Past its guard, without its marker, it can no longer be applied.
      const edited = due(admission, {
        record: recordOf(waiting),
        workload: workload({ generation: 2 }),
      });
      expect(recordOf(edited).unconfirmed).toBeUndefined();
    },
  );

  test("what is put off waits on, and is told once, where the rollout of before was applied", () => {
    const pending = due({});
    if (pending.do !== "roll") throw new Error("does not roll");
    const next = { source: source("cc") };
    const waiting = due({ paused: {} }, { record: pending.record, ...next });
    expect(recordOf(waiting).outbox).toHaveLength(1);

    const { marker } = pending.record.rollout;
    const applied = workload({ generation: 2, marker });
    const record = { ...recordOf(waiting), outbox: [] };
    const adopted = due({ paused: {} }, { record, workload: applied, ...next });

    expect(adopted).toMatchObject({ record: { phase: "rolling", due: { reason: "QueuePaused" } } });
    expect(recordOf(adopted).outbox).toMatchObject([{ outcome: "started" }]);
  });

  test("a rollout in progress is followed while its workload is frozen", () => {
    const pending = due({});
    if (pending.do !== "roll") throw new Error("does not roll");
    const { rollout } = pending.record;
    const record = patchedRecord(input({}), pending.record, rollout, 2);
    const ended = workload({ generation: 2, marker: rollout.marker, status: complete(2) });
    const after = due({ frozen: {} }, { record, workload: ended });
    expect(recordOf(after).outbox).toMatchObject([{ outcome: "succeeded" }]);
  });

  test("if the queue has a quota, the end releases it and reports the failed changes", () => {
    const pending = due({ quota: "free" });
    if (pending.do !== "roll") throw new Error("does not roll");
    const { rollout } = pending.record;
    expect(rollout).toMatchObject({ quota: true, queue: "default" });
    const record = patchedRecord(input({}), pending.record, rollout, 2);
    const conditions = [
      { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "no" },
    ];
    const status = { observedGeneration: 2, replicas: 1, updatedReplicas: 0, conditions };
    const broken = workload({ generation: 2, marker: rollout.marker, status });
    const after = due({ quota: "free" }, { record, workload: broken });
    expect(recordOf(after).outbox).toMatchObject([
      { outcome: "failed", releasesQuota: "default", failedChanges: rollout.changes },
    ]);
    // It counted when it stalled: somebody may have resumed the change since then.
    const stalled = { ...record, rollout: { ...record.rollout, stalled: true as const } };
    const later = due({ quota: "free" }, { record: stalled, workload: broken });
    const [failed] = recordOf(later).outbox;
    expect(failed).toMatchObject({ outcome: "failed", releasesQuota: "default" });
    expect(failed).not.toHaveProperty("clearsFailure", true);
    expect(failed?.failedChanges).toBeUndefined();
  });
});
