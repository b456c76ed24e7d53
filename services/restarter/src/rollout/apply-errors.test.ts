import { KubeError } from "@rollcast/kube/client";
import { createLogger } from "@rollcast/runtime/logger";
import { createMetrics } from "@rollcast/runtime/metrics";
import { expect, test } from "vitest";
import { jobIdOf, jobNameOf } from "../decision/applied.ts";
import { decide } from "../decision/decide.ts";
import { CFG, T0, givenSituation, givenSource } from "../../test/given-situation.ts";
import { createRestarterMetrics } from "../metrics.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { classify, recordFailure } from "./apply-errors.ts";
import type { Classified, Look } from "./apply-errors.ts";

/** What is made of an answer with this status, where the object looks so, and what is counted. */
async function classified(status: number, look: Look | KubeError) {
  const metrics = createMetrics();
  const ctx = { metrics: createRestarterMetrics(metrics) };
  let looks = 0;
  const lookAt = async () => {
    looks += 1;
    if (look instanceof KubeError) throw look;
    return look;
  };
  const result = await classify(ctx, new KubeError(status, "Testing", "testing"), lookAt);
  const counted = /rollcast_patch_errors_total\{reason="(\w+)"\} 1/.exec(await metrics.text())?.[1];
  return { result, counted, looks };
}

// A proxy's or a load balancer's word, none, or one that asks to come again.
test.each([0, 302, 307, 408, 429, 500, 502, 503, 504])(
  "an answer %d says nothing of what was to be written, and the object is not looked at",
  async (status) => {
    const { result, counted, looks } = await classified(status, "as-decided");

    expect(result).toEqual({ reason: "Unavailable" });
    expect({ counted, looks }).toEqual({ counted: "Unavailable", looks: 0 });
  },
);

test("a quota that others count at the same time refuses nothing", async () => {
  const ctx = { metrics: createRestarterMetrics(createMetrics()) };
  const look = async () => "as-decided" as const;
  const conflict = (about: string) => new KubeError(409, "Conflict", "modified", { about });

  expect(await classify(ctx, conflict("resourcequotas"), look)).toEqual({ reason: "Unavailable" });
  expect(await classify(ctx, conflict("jobs"), look)).toMatchObject({ reason: "Refused" });
});

const UNANSWERED = new KubeError(0, "Timeout", "no answer");

// Whatever status a policy gives, the object says what the answer was.
test.each<{ name: string; look: Look | KubeError; want: Classified }>([
  { name: "as it was decided on", look: "as-decided", want: is("Refused", "as-decided") },
  { name: "changed", look: "changed", want: is("Conflict", "changed") },
  { name: "gone", look: "gone", want: is("Conflict", "gone") },
  { name: "not to be had", look: UNANSWERED, want: is("Unavailable") },
  { name: "behind a redirect", look: refusal(302), want: is("Unavailable") },
  { name: "not shown to who is unknown", look: refusal(401), want: is("Unavailable") },
  { name: "not to be looked at", look: refusal(403), want: is("Refused") },
])("of an answer about an object that is $name the look decides", async ({ look, want }) => {
  for (const status of [400, 401, 403, 404, 409, 410, 413, 422]) {
    const { result, counted, looks } = await classified(status, look);

    expect({ status, ...result }).toEqual({ status, ...want });
    expect({ counted, looks }).toEqual({ counted: want.reason, looks: 1 });
  }
});

function is(reason: Classified["reason"], look?: Look): Classified {
  return look === undefined ? { reason } : { reason, look };
}

function refusal(status: number): KubeError {
  return new KubeError(status, `Http${status}`, "testing");
}

/** The record after the patch of a rollout got this answer for the last time. */
async function recorded(answer: KubeError, tried?: Rollout) {
  const adopted = decide(givenSituation());
  if (adopted.do !== "keep") throw new Error("not adopted");
  const sources = new Map([[CFG, givenSource("bb", { changedAt: T0 })]]);
  const decision = decide(givenSituation({ record: adopted.record, sources }));
  if (decision.do !== "roll") throw new Error("not rolled");
  const writes: WorkloadRecord[] = [];
  const update = async (_key: string, record: WorkloadRecord) => writes.push(record);
  const nothing = async () => undefined;
  const ctx = {
    cluster: "test",
    records: { update },
    metrics: createRestarterMetrics(createMetrics()),
    admission: { ended: nothing, releaseQuota: nothing },
    publish: nothing,
    recordEvent: nothing,
    failpoint: () => undefined,
    logger: createLogger("test", "info", { write: () => undefined }),
  } as never;
  const { rollout } = decision.record;
  const value = { ...decision.record, rollout: tried ?? rollout };
  const pending = { key: "test.web", value, revision: 1 };
  await recordFailure(ctx, 1, pending, answer);
  return { id: rollout.id, rollout, last: writes.at(-1) };
}

test("a patch without an answer that was told as failed may still be applied, as another rollout", async () => {
  const { id, last } = await recorded(UNANSWERED);

  expect(last).toMatchObject({ phase: "failed", last: { rollout: id, outcome: "failed" } });
  expect(last?.unconfirmed).toHaveLength(1);
  expect(last?.unconfirmed?.[0]?.id).not.toBe(id);
});

// Else it would be looked for under a name that nobody has asked for.
test("a Job without an answer keeps its name, also after it was told as failed again", async () => {
  const { rollout, last } = await recorded(UNANSWERED);
  const [late] = last?.unconfirmed ?? [];
  if (late === undefined) throw new Error("not kept");
  const again = await recorded(UNANSWERED, late);
  const [later] = again.last?.unconfirmed ?? [];
  if (later === undefined) throw new Error("not kept");

  for (const { id, ...kept } of [late, later]) {
    expect(id).not.toBe(rollout.id);
    expect(jobIdOf({ id, ...kept })).toBe(rollout.id);
    expect(jobNameOf({ name: "web" }, { id, ...kept })).toBe(jobNameOf({ name: "web" }, rollout));
  }
  expect(later.id).not.toBe(late.id);
});

test("a patch that was refused is never applied", async () => {
  const { last } = await recorded(refusal(422));

  expect(last).toMatchObject({ phase: "failed", failure: { reason: "Http422" } });
  expect(last?.unconfirmed).toBeUndefined();
});
