import type { SourceRecord } from "@rollcast/shared/records";
import { sourceKey } from "../src/model/content.ts";
import type { SourceKey } from "../src/model/content.ts";
import { decide } from "../src/decision/decide.ts";
import type { DecisionInput } from "../src/decision/decision.ts";
import type { WorkloadRecord } from "../src/model/workload-record.ts";
import type { Workload } from "../src/model/workload.ts";
import { givenWorkload, rulesOf } from "./given.ts";

export const T0 = Date.parse("2026-01-10T12:00:00.000Z");
export const CFG: SourceKey = sourceKey("ConfigMap", "shop", "cfg");

/** ConfigMap `shop/cfg` with the keys `a` and `b`. */
export function givenSource(content: string, over: Partial<SourceRecord> = {}): SourceRecord {
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
    createdAt: T0 - 7_200_000,
    annotations: {},
    ...over,
  };
}

/** A Deployment that uses `shop/cfg` and is opted in, first observed at {@link T0}. */
export function givenSituation(over: Partial<DecisionInput> = {}): DecisionInput {
  return {
    rules: rulesOf(),
    workload: givenWorkload({ annotations: { "rollcast.dev/auto": "true" } }),
    record: undefined,
    sources: new Map([[CFG, givenSource("aa")]]),
    installedAt: T0 - 60_000,
    now: T0,
    mode: "active",
    breaker: { maxRollouts: 20, period: 600_000, minInterval: 10_000, maxInterval: 900_000 },
    stalledAfterMs: 600_000,
    newId: "rollout-1",
    trusted: false,
    affected: () => 1,
    admission: { queue: "default", haltAfter: 3, failures: [], quota: "none" },
    ...over,
  };
}

/** The record that is decided on for a workload whose only source is {@link CFG}. */
export function decided(
  workload: Workload,
  source: SourceRecord,
  record?: WorkloadRecord,
): WorkloadRecord {
  const decision = decide(givenSituation({ workload, record, sources: new Map([[CFG, source]]) }));
  if (decision.do === "requeue") throw new Error("not decided");
  return decision.record;
}
