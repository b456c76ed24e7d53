import type { KubeObject } from "@rollcast/kube/object";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
import { job } from "@rollcast/kube/workloads/job";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { ROLLOUT } from "@rollcast/kube/workloads/manifest";
import type { SourceRecord } from "@rollcast/shared/records";
import { describe, expect, test } from "vitest";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { sourceKey } from "../model/content.ts";
import { decide } from "./decide.ts";
import type { Decision, DecisionInput, RolloutJob } from "./decision.ts";
import { verdict } from "../model/verdict.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { patchedRecord } from "./applied.ts";
import { projectWorkload } from "../index/project-workload.ts";
import type { Workload } from "../model/workload.ts";

const T0 = Date.parse("2026-01-10T12:00:00.000Z");
const CFG = sourceKey("ConfigMap", "shop", "cfg");
const rules = rulesOf();

type Shape = {
  uid?: string;
  madeBy?: string;
  spec?: object;
  image?: string;
  status?: object;
  annotations?: Readonly<Record<string, string>>;
  owner?: string;
};

const controller = (kind: string) => ({
  apiVersion: kind === "CronJob" ? "batch/v1" : "keda.sh/v1alpha1",
  kind,
  name: "queue",
  uid: "o1",
  controller: true,
});

function object(kind: WorkloadKind, shape: Shape): KubeObject {
  const container = {
    name: "c",
    image: shape.image ?? "x:1",
    envFrom: [{ configMapRef: { name: "cfg" } }],
  };
  const template = { spec: { containers: [container] } };
  const spec = kind === job ? { template } : { jobTemplate: { spec: { template } } };
  return {
    metadata: {
      name: "one",
      namespace: "shop",
      uid: shape.uid ?? "u1",
      resourceVersion: "9",
      generation: 1,
      // Younger than the installation, older than the change.
      creationTimestamp: new Date(T0 - 60_000).toISOString(),
      ...(shape.owner === undefined ? {} : { ownerReferences: [controller(shape.owner)] }),
      annotations: {
        "rollcast.dev/auto": "true",
        ...shape.annotations,
        ...(shape.madeBy === undefined ? {} : { [ROLLOUT]: shape.madeBy }),
      },
    },
    spec: { ...spec, ...shape.spec },
    status: shape.status,
  };
}

const of = (kind: WorkloadKind, shape: Shape = {}) =>
  projectWorkload(kind, object(kind, shape), rules);

function source(content: string): SourceRecord {
  return {
    v: 1,
    kind: "ConfigMap",
    namespace: "shop",
    name: "cfg",
    uid: "src",
    resourceVersion: "5",
    keyId: "k1",
    digests: { a: content.padEnd(32, "0") },
    state: "published",
    change: "changed",
    createdAt: 0,
    changedAt: T0 - 30_000,
    annotations: {},
  };
}

function ask(
  workload: Workload,
  record: WorkloadRecord | undefined,
  content: string,
  watched?: RolloutJob,
  isRunning = false,
  trusted = true,
): Decision {
  const s: DecisionInput = {
    rules,
    workload,
    record,
    ...(watched === undefined ? {} : { job: watched }),
    isRunning,
    sources: new Map([[CFG, source(content)]]),
    installedAt: T0 - 3_600_000,
    now: T0,
    admission: { queue: "default", haltAfter: 3, failures: [], quota: "none" },
    mode: "active",
    breaker: { maxRollouts: 20, period: 1, minInterval: 1, maxInterval: 1 },
    stalledAfterMs: 60_000,
    affected: () => 1,
    newId: "new",
    trusted,
  };
  return decide(s);
}

function recordOf(decision: Decision): WorkloadRecord {
  if (decision.do === "requeue") throw new Error("no record");
  return decision.record;
}

const words = (decision: Decision) => recordOf(decision).outbox.map(({ outcome }) => outcome);
const sent = (record: WorkloadRecord): WorkloadRecord => ({ ...record, outbox: [] });

/** A CronJob whose Job for content `bb` runs. */
function running(shape: Shape = {}): WorkloadRecord {
  const pending = ask(of(cronJob, shape), recordOf(ask(of(cronJob, shape), undefined, "aa")), "bb");
  if (pending.do !== "roll") throw new Error("does not roll");
  const workload = of(cronJob, shape);
  const rollout = { ...pending.record.rollout, job: "one-0123456789" };
  const at = {
    workload,
    now: T0,
    breaker: { maxRollouts: 9, period: 1, minInterval: 1, maxInterval: 1 },
  };
  return patchedRecord({ ...at, stalledAfterMs: 60_000 }, pending.record, rollout, 1);
}

describe("a CronJob", () => {
  test("is adopted with the present content: its runs read it when they start", () => {
    expect(ask(of(cronJob), undefined, "bb")).toMatchObject({ do: "keep" });
  });

  test("waits while it is suspended, reported once, and rolls when it is resumed", () => {
    const asleep = of(cronJob, { spec: { suspend: true, jobTemplate: object(cronJob, {}).spec } });
    const suspended = { ...asleep, references: of(cronJob).references };
    const adopted = recordOf(ask(suspended, undefined, "aa"));
    const first = ask(suspended, adopted, "bb");
    expect(first).toMatchObject({ do: "keep", record: { phase: "deferred", hold: "Suspended" } });
    expect(words(first)).toEqual(["deferred"]);
    expect(words(ask(suspended, sent(recordOf(first)), "bb"))).toEqual([]);
    expect(ask(of(cronJob), sent(recordOf(first)), "bb").do).toBe("roll");
    const back = ask(suspended, sent(recordOf(first)), "aa");
    expect(back).toMatchObject({ do: "keep", record: { phase: "current" } });
    expect(recordOf(back).hold).toBeUndefined();
  });

  test("whose Job runs alone waits for it; with others it is superseded", () => {
    const alone = { ...of(cronJob), exclusive: true as const };
    expect(ask(alone, running(), "cc")).toMatchObject({
      do: "keep",
      record: { phase: "rolling", hold: "Running" },
    });
    const beside = ask(of(cronJob), running(), "cc");
    expect(beside.do).toBe("roll");
    expect(words(beside)).toEqual(["superseded"]);
    const done = ask(alone, running(), "cc", { status: { state: "complete" } });
    expect(done.do).toBe("roll");
    expect(words(done)).toEqual(["succeeded"]);
  });

  test.each(["Forbid", "Replace"])(
    "that runs one Job at a time (%s) waits for its schedule's",
    (policy) => {
      const listing = (active: object[], annotations: Readonly<Record<string, string>> = {}) => ({
        ...of(cronJob, {
          spec: { concurrencyPolicy: policy },
          status: { active },
          annotations,
        }),
      });
      const busy = [{ kind: "Job", name: "one-29000000" }];
      const adopted = recordOf(ask(listing([]), undefined, "aa"));
      const held = ask(listing(busy), adopted, "bb");
      expect(held).toMatchObject({ do: "keep", record: { phase: "deferred", hold: "Running" } });
      expect(words(held)).toEqual(["deferred"]);
      expect(ask(listing([]), sent(recordOf(held)), "bb").do).toBe("roll");
      expect(
        ask(listing([]), running({ spec: { concurrencyPolicy: policy } }), "cc"),
      ).toMatchObject({
        do: "keep",
        record: { phase: "rolling", hold: "Running" },
      });
      const marked = ask(listing(busy, { "rollcast.dev/cronjob": "template" }), adopted, "bb");
      expect(marked.do).toBe("roll");
    },
  );

  test.each([
    { policy: "Forbid", isRunning: true, does: "keep" },
    { policy: "Replace", isRunning: true, does: "keep" },
    { policy: "Forbid", isRunning: false, does: "roll" },
    { policy: "Allow", isRunning: true, does: "roll" },
  ])("whose status lists no run, $policy, with an unfinished Job $isRunning: $does", (given) => {
    const workload = of(cronJob, { spec: { concurrencyPolicy: given.policy } });
    const adopted = recordOf(ask(workload, undefined, "aa"));
    const decision = ask(workload, adopted, "bb", undefined, given.isRunning);
    expect(decision.do).toBe(given.does);
    expect(words(decision)).toEqual(given.does === "keep" ? ["deferred"] : []);
  });

  test.each([
    { job: undefined, expected: [] },
    { job: { status: { state: "progressing" } }, expected: [] },
    { job: { status: { state: "complete" } }, expected: ["succeeded"] },
    { job: { status: { state: "failed", reason: "X", message: "" } }, expected: ["failed"] },
    { job: "gone", expected: ["cancelled"] },
  ] as const)("ends as its Job: $job", ({ job: watched, expected }) => {
    expect(words(ask(of(cronJob), running(), "bb", watched))).toEqual(expected);
    // An edited template applies to the next run.
    expect(words(ask(of(cronJob, { image: "x:2" }), running(), "bb", watched))).toEqual(expected);
  });

  test("continues the rollout that a crash interrupted, also after an edit or a wait", () => {
    const adopted = recordOf(ask(of(cronJob), undefined, "aa"));
    const pending = recordOf(ask(of(cronJob), adopted, "bb"));
    const edited = { ...of(cronJob, { image: "x:2" }), generation: 2 };
    const again = ask(edited, pending, "bb");
    expect(recordOf(again).rollout?.id).toBe(pending.rollout?.id);
    const hold = recordOf(ask({ ...edited, hold: "Suspended" }, pending, "bb"));
    expect(
      recordOf(ask(edited, { ...hold, rollout: { ...hold.rollout, id: "kept" } as never }, "bb")),
    ).toMatchObject({ phase: "pending", rollout: { id: "kept" } });
  });
});

describe("a Job", () => {
  const adopted = () => ({ ...recordOf(ask(of(job), undefined, "bb")), phase: "current" as const });
  const pending = () => {
    const decision = ask(
      of(job),
      {
        ...adopted(),
        running: recordOf(ask(of(job), { ...adopted(), running: {} }, "aa")).running,
      },
      "bb",
    );
    if (decision.do !== "roll") throw new Error("does not roll");
    const { rollout } = decision.record;
    return { ...decision.record, recreate: { manifest: "{}", rollout } };
  };

  test("that is suspended reads the content present when it starts: reported as skipped", () => {
    const suspended = { ...of(job), hold: "Suspended", stopped: true } as const;
    const { recreate: _, ...before } = pending();
    // The index may be older than a resume.
    expect(ask(suspended, before, "bb", undefined, false, false)).toEqual({
      do: "requeue",
      refetch: true,
    });
    const decision = ask(suspended, before, "bb");
    expect(decision).toMatchObject({ do: "keep", record: { phase: "current" } });
    expect(words(decision)).toEqual(["skipped"]);
    expect(words(ask(suspended, sent(recordOf(decision)), "bb"))).toEqual([]);
  });

  test("that is suspended waits while its controller has not stopped its pods", () => {
    const suspended = { ...of(job), hold: "Suspended" } as const;
    const { recreate: _, ...before } = pending();
    const decision = ask(suspended, before, "bb");
    const record = { phase: "deferred", hold: "Suspended" };
    expect(decision).toMatchObject({ do: "keep", record });
    expect(words(decision)).toEqual(["deferred"]);
    expect(ask(of(job), sent(recordOf(decision)), "bb").do).toBe("roll");
  });

  test("that is suspended while its deletion may come is not passed over until that is over", () => {
    const suspended = { ...of(job), hold: "Suspended", stopped: true } as const;
    const before = pending();
    const decision = ask(suspended, before, "bb");
    expect(decision).toMatchObject({ do: "keep", record: { phase: "pending" } });
    expect(words(decision)).toEqual([]);
    expect(recordOf(decision).recreate).toBeDefined();

    const rollout = { ...before.rollout, decidedAt: T0 - 600_000 };
    const recreate = { manifest: before.recreate?.manifest ?? "", rollout };
    const later = ask(suspended, { ...before, rollout, recreate }, "bb");
    expect(later).toMatchObject({ do: "keep", record: { phase: "current" } });
    expect(words(later)).toEqual(["skipped"]);
    expect(recordOf(later).recreate).toBeUndefined();
  });

  test("that we recreated continues under its new uid", () => {
    const before = pending();
    const made = of(job, { uid: "u2", madeBy: before.rollout.id });
    const decision = ask(made, before, "bb");
    expect(decision).toMatchObject({ do: "keep", record: { phase: "rolling", uid: "u2" } });
    expect(words(decision)).toEqual(["started"]);
    expect(recordOf(decision).recreate).toBeUndefined();
    // The same for a refused first attempt, under another rollout id.
    const failure = { wanted: "", reason: "", message: "", generation: 1, attempts: 1, retryAt: 0 };
    const { rollout: _, ...rest } = before;
    const later = ask(made, { ...rest, phase: "failed", failure }, "bb");
    expect(later).toMatchObject({ do: "keep", record: { phase: "rolling", uid: "u2" } });
    expect(recordOf(later).rollout?.id).not.toBe(before.rollout.id);
  });

  test("that its owner recreated is another Job", () => {
    const before = pending();
    const decision = ask(of(job, { uid: "u2", status: { active: 1 } }), before, "bb");
    expect(recordOf(decision).uid).toBe("u2");
    expect(recordOf(decision).recreate).toBeUndefined();
    expect(words(decision)).toEqual([]);
  });
});

const COMPLETE = { conditions: [{ type: "Complete", status: "True" }] };

describe("a Job that a controller has made", () => {
  const owned = (shape: Shape = {}) => of(job, { owner: "ScaledJob", ...shape });
  // Older than the installation, so that it is taken as it is.
  const adopted = () => recordOf(ask({ ...owned(), createdAt: 0 }, undefined, "aa"));

  test("is left to it while it runs: skipped once per content, and its pods keep theirs", () => {
    const first = ask(owned(), adopted(), "bb");
    expect(first).toMatchObject({ do: "keep", record: { phase: "current" } });
    expect(recordOf(first).outbox).toMatchObject([
      {
        outcome: "skipped",
        data: {
          reason: "Owned",
          message: "it is left to ScaledJob queue, whose next Job gets the content",
          cause: { name: "cfg" },
        },
      },
    ]);
    expect(recordOf(first).running).toEqual(adopted().running);
    expect(recordOf(first).staleSince).toBeUndefined();
    const reported = sent(recordOf(first));
    expect(ask(owned(), reported, "bb")).toMatchObject({ do: "keep", changed: false });
    expect(words(ask(owned(), reported, "cc"))).toEqual(["skipped"]);
  });

  test("is left to it when it has run to its end, without a word", () => {
    const decision = ask(owned({ status: COMPLETE }), adopted(), "bb");
    expect(decision.do).toBe("keep");
    expect(words(decision)).toEqual([]);
  });

  test("begins with the content present then where it is suspended", () => {
    const decision = ask(owned({ spec: { suspend: true } }), adopted(), "bb");
    expect(recordOf(decision).outbox).toMatchObject([{ data: { reason: "Suspended" } }]);
  });

  test("is left to it also where a rollout was due before it had a controller", () => {
    const due = recordOf(ask(of(job), adopted(), "bb"));
    expect(due.phase).toBe("pending");
    expect(ask(owned(), due, "bb")).toMatchObject({ do: "keep", record: { phase: "current" } });
  });
});

describe("a hook of Helm or Argo CD", () => {
  const HOOK = { "helm.sh/hook": "pre-upgrade" };
  const NAMED = { ...HOOK, "configmap.rollcast.dev/reload": "cfg" };
  const hook = (shape: Shape) => of(job, { annotations: HOOK, ...shape });
  const named = (status: object, made: Shape = {}) => hook({ annotations: NAMED, status, ...made });
  const adopted = (workload: Workload) =>
    recordOf(ask({ ...workload, createdAt: 0 }, undefined, "aa"));

  test.each([
    { state: "that runs", status: { active: 1 } },
    { state: "that has ended", status: COMPLETE },
  ])("$state is left alone, though it has auto", ({ status }) => {
    const decision = ask(hook({ status }), adopted(hook({})), "bb");
    expect(decision.do).toBe("keep");
    expect(words(decision)).toEqual([]);
  });

  test("that names the source is run again when it has ended, and not ended for it", () => {
    const held = ask(named({ active: 1 }), adopted(named({})), "bb");
    expect(held).toMatchObject({ do: "keep", record: { phase: "deferred", hold: "Running" } });
    expect(recordOf(held).outbox).toMatchObject([
      { outcome: "deferred", data: { reason: "Running" } },
    ]);
    const reported = sent(recordOf(held));
    expect(ask(named({ active: 1 }), reported, "bb")).toMatchObject({ changed: false });
    expect(ask(named(COMPLETE), reported, "bb").do).toBe("roll");
  });

  test("that we have run again is not ended for newer content either", () => {
    const pending = recordOf(ask(named(COMPLETE), adopted(named({})), "bb"));
    const recreate = { manifest: "{}", rollout: pending.rollout as never };
    const made = { uid: "u2", madeBy: pending.rollout?.id ?? "" };
    const rolling = recordOf(ask(named({}, made), { ...pending, recreate }, "bb"));
    expect(rolling.phase).toBe("rolling");
    expect(ask(named({}, made), sent(rolling), "cc")).toMatchObject({
      do: "keep",
      record: { phase: "rolling", hold: "Running" },
    });
    const done = ask(named(COMPLETE, made), sent(rolling), "cc");
    expect(done.do).toBe("roll");
    expect(words(done)).toEqual(["succeeded"]);
  });
});

type Annotations = Record<string, string>;

test.each<{ own: Annotations; template: Annotations; owner?: string; hook?: true; want: string }>([
  { own: { "rollcast.dev/auto": "true" }, template: {}, want: "auto" },
  { own: { "configmap.rollcast.dev/reload": "cfg" }, template: {}, want: "named" },
  { own: {}, template: { "rollcast.dev/auto": "true" }, want: "job-finished" },
  { own: {}, template: { "configmap.rollcast.dev/reload": "cfg" }, want: "named" },
  { own: {}, template: {}, want: "job-finished" },
  {
    own: { "configmap.rollcast.dev/reload": "cfg" },
    template: {},
    owner: "ScaledJob",
    want: "owned-finished",
  },
  { own: { "rollcast.dev/auto": "true" }, template: {}, owner: "CronJob", want: "owned" },
  { own: { "rollcast.dev/auto": "true" }, template: {}, hook: true, want: "job-hook" },
  { own: { "configmap.rollcast.dev/reload": "cfg" }, template: {}, hook: true, want: "named" },
])(
  "a Job of $owner that has ended, annotated $own and in its template $template: $want",
  (given) => {
    const { own, template, owner } = given;
    const metadata = owner === undefined ? {} : { ownerReferences: [controller(owner)] };
    const workload = {
      ...givenWorkload({ annotations: own, templateAnnotations: template, metadata, rules }),
      kind: "Job",
      rollBy: "recreate" as const,
      finished: true as const,
      ...(given.hook === undefined ? {} : { hook: given.hook }),
    };
    const named = { kind: "ConfigMap", namespace: "shop", name: "cfg" } as const;
    const question = { rules: rulesOf({ auto: true }), workload, source: named, record: undefined };
    expect(verdict(question).check).toBe(given.want);
  },
);
