import type { KubeObject } from "@rollcast/kube/object";
import { argoRollout } from "@rollcast/kube/workloads/argo-rollout";
import { deploymentConfig } from "@rollcast/kube/workloads/deploymentconfig";
import { genericKind } from "@rollcast/kube/workloads/generic";
import { job } from "@rollcast/kube/workloads/job";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import { RolloutEvent } from "@rollcast/shared/events";
import fc from "fast-check";
import { expect, test } from "vitest";
import { T0 } from "../../test/given-situation.ts";
import { WorkloadRecord } from "../model/workload-record.ts";
import type { Rollout } from "../model/workload-record.ts";
import {
  deferred,
  failed,
  hold,
  skipped,
  stalled,
  started,
  succeeded,
  superseded,
} from "./outcomes.ts";

const rollout: Rollout = {
  id: "r1",
  wanted: {},
  changed: 1,
  guard: 1,
  marker: "{}",
  templateHash: "h",
  decidedAt: T0,
};
const record: WorkloadRecord = {
  v: 1,
  kind: "App",
  namespace: "shop",
  name: "app",
  uid: "u",
  phase: "rolling",
  running: {},
  generation: 1,
  templateHash: "h",
  rollout,
  history: [],
  outbox: [],
};

/** What is decided must be read by the next restarter, and its events by every subscriber. */
function expectReadable(next: WorkloadRecord): void {
  expect(WorkloadRecord.parse(JSON.parse(JSON.stringify(next)))).toEqual(next);
  for (const { id, time, outcome, data } of next.outbox) {
    const parts = { id, time, cluster: "prod", service: "restarter" };
    const event = rolloutEvent(parts, outcome, data);
    expect(RolloutEvent.parse(JSON.parse(JSON.stringify(event)))).toEqual(event);
  }
}

/** Repeated: a long text of many parts takes minutes to be made shorter. */
const text = fc
  .tuple(fc.string({ unit: "binary", maxLength: 8 }), fc.integer({ min: 0, max: 500 }))
  .map(([part, count]) => part.repeat(count));

test("a record and its events can be read whatever others write as reason and message", () => {
  fc.assert(
    fc.property(text, text, (reason, message) => {
      const marked = "MarkerRemoved" as const;
      const wait = { reason: "MarkerStripped" as const, message };
      const requested = { ...rollout, requestedBy: message };
      for (const next of [
        failed(record, rollout, { reason, message }, T0),
        succeeded(record, rollout, { reason, message }, T0),
        superseded(record, rollout, marked, T0, message),
        stalled(record, rollout, message, T0),
        skipped(record, { reason, message }, undefined, T0, "id"),
        hold(record, reason, undefined, { now: T0, newId: "id" }),
        deferred(record, { wait, cause: undefined, changes: [] }, T0, "id"),
        { ...record, outbox: [started(record, requested)] },
      ]) {
        expectReadable(next);
      }
    }),
    { numRuns: 200 },
  );
});

const field = fc.oneof(
  { weight: 3, arbitrary: text },
  { weight: 1, arbitrary: fc.anything({ maxDepth: 1 }) },
);
const entry = fc.record(
  {
    type: fc.constantFrom("Stalled", "Progressing", "Failed", "Ready", "InvalidSpec"),
    status: fc.constantFrom("True", "False"),
    reason: fc.oneof(field, fc.constant("ProgressDeadlineExceeded")),
    message: field,
    observedGeneration: field,
  },
  { requiredKeys: ["type"] },
);
const status = fc.record({
  phase: fc.constant("Degraded"),
  observedGeneration: fc.constantFrom(1, "1"),
  conditions: fc.array(fc.oneof({ weight: 9, arbitrary: entry }, fc.constant(null)), {
    minLength: 1,
    maxLength: 3,
  }),
});
const app = { group: "e", version: "v1", kind: "App", plural: "apps", templatePath: "spec.t" };
const kinds = [genericKind(app), deploymentConfig, job, argoRollout];

test("a rollout that its controller fails is read again whatever the conditions are", () => {
  let count = 0;
  fc.assert(
    fc.property(status, (present) => {
      const metadata = { name: "app", uid: "u", resourceVersion: "1", generation: 1 };
      const object: KubeObject = { metadata, status: present };
      for (const kind of kinds) {
        const reported = kind.status(object);
        if (reported.state !== "failed") continue;
        count += 1;
        expectReadable(failed(record, rollout, reported, T0));
      }
    }),
    { numRuns: 500 },
  );
  expect(count).toBeGreaterThan(100);
});
