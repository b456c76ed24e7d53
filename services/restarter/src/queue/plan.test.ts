import { createKeyedLock } from "@rollcast/async/keyed-lock";
import { KubeError } from "@rollcast/kube/client";
import { createLogger } from "@rollcast/runtime/logger";
import { sourceEvent } from "@rollcast/shared/event-builders";
import { RetryLaterError, TerminalError } from "@rollcast/shared/errors";
import { recordKey } from "@rollcast/shared/subjects";
import { expect, test } from "vitest";
import { CFG, T0, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import type { Context } from "../context.ts";
import { decide } from "../decision/decide.ts";
import { createWorkloadIndex } from "../index/workload-index.ts";
import { workloadKey } from "../model/workload.ts";
import type { OutboxEvent, WorkloadRecord } from "../model/workload-record.ts";
import { plan } from "./plan.ts";
import type { RolloutQueues } from "./rollout-queues.ts";

const before = givenSource("aa");
const changed = givenSource("bb", { resourceVersion: "51", changedAt: T0 });
const event = sourceEvent({ id: "e", cluster: "test", service: "watcher", time: T0 }, "changed", {
  kind: "ConfigMap",
  namespace: "shop",
  name: "cfg",
  uid: "src-1",
  resourceVersion: "51",
  changedKeys: { added: [], changed: ["a"], removed: [] },
  reason: "DataChanged",
});

/** Deployments that run the content before, some of which no record can be read of. */
function given(
  names: readonly string[],
  errors: Readonly<Record<string, Error>>,
  over: Partial<WorkloadRecord> = {},
) {
  const index = createWorkloadIndex(rulesOf());
  const records = new Map<string, () => Promise<unknown>>();
  for (const name of names) {
    const workload = givenWorkload({
      annotations: { "rollcast.dev/auto": "true" },
      metadata: { name },
    });
    index.apply(workload);
    const adopted = decide(givenSituation({ workload, sources: new Map([[CFG, before]]) }));
    if (adopted.do === "requeue") throw new Error("not adopted");
    const entry = { key: name, value: { ...adopted.record, ...over }, revision: 1 };
    const error = errors[name];
    records.set(recordKey("test", workload), () =>
      error === undefined ? Promise.resolve(entry) : Promise.reject(error),
    );
  }
  const source = () =>
    errors.cfg === undefined
      ? Promise.resolve({ key: "cfg", value: changed, revision: 2 })
      : Promise.reject(errors.cfg);
  const { rules, breaker, admission, stalledAfterMs, installedAt } = givenSituation();
  const planned: string[] = [];
  const written: WorkloadRecord[] = [];
  const ctx = {
    cluster: "test",
    workloadLock: createKeyedLock(1_000),
    writeOrder: { shown: () => undefined, isConfirmed: () => false },
    mode: "active",
    rules,
    breaker,
    stalledAfterMs,
    installedAt,
    index,
    affected: () => names.length,
    annotationFaults: { unmatched: new Map(), matched: () => undefined },
    names: { add: () => undefined, matching: () => [] },
    sources: { get: source },
    records: {
      get: (key: string) => records.get(key)?.(),
      update: (_key: string, record: WorkloadRecord) => Promise.resolve(written.push(record)),
    },
    admission: {
      of: () => admission,
      isSynced: () => true,
      moved: () => Promise.resolve(),
    },
    publish: ({ data }: OutboxEvent) => Promise.resolve(planned.push(data.workload.name)),
    metrics: { verdicts: { inc: () => undefined }, outcomes: { inc: () => undefined } },
    logger: createLogger("test", "silent"),
  } as unknown as Context;
  const queue = { queue: "default", fault: () => undefined, enqueue: () => Promise.resolve() };
  const left: string[] = [];
  return {
    planned,
    written,
    left,
    plan: () =>
      plan(ctx, { of: () => queue } as unknown as RolloutQueues, event, (workload) =>
        left.push(workloadKey(workload)),
      ),
  };
}

const NAMES = Array.from({ length: 100 }, (_, i) => `web-${i}`);

test.each([
  { name: "whose record cannot be read", error: new TerminalError("Unreadable", "no JSON") },
  { name: "whose Job cannot be read", error: new KubeError(503, "", "not now") },
])(
  "a workload $name keeps no other from being planned, and is left to the reconciler",
  async ({ error }) => {
    const { planned, left, ...all } = given(NAMES, { "web-0": error, "web-40": error });

    await all.plan();

    expect(planned.toSorted()).toEqual(
      NAMES.filter((name) => name !== "web-0" && name !== "web-40").toSorted(),
    );
    expect(left).toEqual(["Deployment/shop/web-0", "Deployment/shop/web-40"]);
  },
);

test("what all need and do not have ends the planning, so that the event comes again", async () => {
  const { left, ...all } = given(NAMES, { "web-0": new RetryLaterError(1, "a gap") });

  await expect(all.plan()).rejects.toThrow("a gap");
  expect(left).toEqual([]);
});

test("the users of a source that cannot be read are left to the reconciler, which names them", async () => {
  const { left, ...all } = given(["web", "api"], { cfg: new TerminalError("Unreadable", "no") });

  await expect(all.plan()).rejects.toThrow("no");
  expect(left.toSorted()).toEqual(["Deployment/shop/api", "Deployment/shop/web"]);
});

test("a plan is recorded beside the one before, and its cause is that of the end of both", async () => {
  const cause = { kind: "Secret", namespace: "shop", name: "sec" } as const;
  const first = { at: T0 - 1_000, cause, ids: ["plan-1"] };
  const { written, ...all } = given(["web"], {}, { planned: first });

  await all.plan();

  const ids = ["plan-1", expect.any(String)];
  expect(written).toMatchObject([{ planned: { cause: { name: "cfg" }, ids } }]);
});
