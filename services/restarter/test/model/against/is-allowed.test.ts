import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Fault } from "../cluster/controllers/act.ts";
import { isAllowed } from "./is-allowed.ts";
import { judge } from "./judge.ts";
import { traceText } from "./print-trace.ts";
import { scheduleText } from "./schedule.ts";
import type { Schedule } from "./schedule.ts";
import type { Trace } from "./trace.ts";

/** What the real controllers did once, recorded by a run against them. */
function recorded(name: string): { readonly schedule: Schedule; readonly trace: Trace } {
  const file = join(import.meta.dirname, "recorded", `${name}.json`);
  return JSON.parse(readFileSync(file, "utf8")) as { schedule: Schedule; trace: Trace };
}

const FAULTS: readonly Fault[] = [
  "observes-early",
  "ignores-surge",
  "never-times-out",
  "ignores-partition",
  "counts-terminating",
  "gives-up-early",
  "ignores-quota",
  "passes-pauses",
  "ignores-unavailable",
  "counts-dead-nodes",
  "stays-unready",
  "never-evicts",
];

/** What Argo's controller did with Rollouts, and the model once did not know. */
const ROLLOUTS = ["rollout-promoted", "rollout-name-taken", "rollout-status-of-before"];

test.each(ROLLOUTS)("the model allows what Argo's controller did (%s)", (name) => {
  const { trace } = recorded(name);
  const { observations } = trace;
  const last = observations.length - 1;
  const wrong = observations.with(last, `${observations[last]} Wrong=True/`);

  expect(isAllowed(trace)).toMatchObject({ result: "allowed", matched: observations.length });
  expect(isAllowed({ ...trace, observations: wrong })).toMatchObject({
    result: "not allowed",
    matched: last,
  });
});

test.each(FAULTS)(
  "the model allows what was recorded, and with the fault %s it does not",
  (fault) => {
    const { trace } = recorded(fault);

    expect(isAllowed(trace)).toMatchObject({
      result: "allowed",
      matched: trace.observations.length,
    });
    expect(isAllowed(trace, { faults: new Set([fault]) }).result).toBe("not allowed");
  },
);

test.each(FAULTS)("an observation that the controllers never made is not allowed (%s)", (name) => {
  const { trace } = recorded(name);
  const last = trace.observations.length - 1;
  const wrong = trace.observations.with(last, `${trace.observations[last]} Wrong=True/`);

  expect(isAllowed({ ...trace, observations: wrong })).toMatchObject({
    result: "not allowed",
    matched: last,
  });
});

test("an end that the model does not come to is not allowed, and the model's ends are named", () => {
  const { trace } = recorded("observes-early");
  const verdict = judge({ ...trace, final: `${trace.final}\npod version=9 Ready` });

  expect(verdict.result).toBe("not allowed");
  expect(verdict.finals).toEqual([trace.final]);
});

test("a Deployment controller may not see yet that it has made another ReplicaSet larger", () => {
  const { schedule, trace } = recorded("sees-a-size-late");

  expect(isAllowed(trace, { maxStates: 5_000 }).result).toBe("allowed");
  // Two pods at once, with one replica and no surge.
  expect(schedule.spec).toMatchObject({
    replicas: 1,
    strategy: { rollingUpdate: { maxSurge: 0 } },
  });
  expect(trace.observations.join("\n")).toContain(" readyReplicas=2 ");
});

test("the DaemonSet controller may rest before it sees a taint, that of nodes not before it taints", () => {
  const { trace } = recorded("taint-unseen");
  const unnoticed = { ...trace, final: trace.final.replace("NotReady", "Ready") };

  expect(trace.final).toContain("desiredNumberScheduled=1 currentNumberScheduled=1");
  expect(trace.final).toContain("node a NotReady");
  expect(isAllowed(trace).result).toBe("allowed");
  expect(isAllowed(unnoticed).result).toBe("not allowed");
});

test("a pod that a Job has suspended on a dead node never counts as failed", () => {
  const { trace } = recorded("dismissed-pod");

  expect(trace.final).toContain(" failed=0 ");
  expect(trace.final).toContain("Pending on a, terminating");
  expect(isAllowed(trace).result).toBe("allowed");
});

test("a Job that is suspended before it has a start does not end", () => {
  const { trace } = recorded("never-started");

  expect(trace.final).toContain("succeeded=1 failed=0 SuccessCriteriaMet=");
  expect(isAllowed(trace).result).toBe("allowed");
});

test("Jobs that are alike are looked at once, whichever of them does something", () => {
  const { trace } = recorded("jobs-that-are-alike");

  expect(trace.effects.filter(({ effect }) => effect.do === "create job")).toHaveLength(5);
  expect(isAllowed(trace, { maxStates: 5_000 }).result).toBe("allowed");
});

test("a search that grows too large says that it has not decided", () => {
  const { trace } = recorded("ignores-surge");

  expect(isAllowed(trace, { maxStates: 20 }).result).toBe("too many states");
});

test("what is not allowed is printed for people", () => {
  const { schedule, trace } = recorded("ignores-partition");
  const wrong = { ...trace, final: `${trace.final}\npod version=9 Ready` };
  const text = `${scheduleText(schedule)}\n${traceText(wrong, judge(wrong))}`;

  const dying = recorded("never-evicts");

  expect(scheduleText(dying.schedule)).toMatch(/^Deployment .*, on a, evicted after 2 s\n/);
  expect(traceText(dying.trace, judge(dying.trace))).toContain("after this: node a is back");
  expect(text).toMatch(/^StatefulSet \{.*\}\n {2}1\. /);
  expect(text).toContain("0. generation=1 observedGeneration=0");
  expect(text).toContain(`the end:\n${wrong.final}\nthe model ends with:\n${trace.final}`);
});
