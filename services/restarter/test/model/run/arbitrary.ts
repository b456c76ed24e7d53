import fc from "fast-check";
import type { Act, Edit, Policy, Schedule } from "../acts/act.ts";
import type { WorkloadName, WorldConfig, WorldShape } from "../world/config.ts";
import type { CallKind } from "../ports/gate.ts";

const EDITS: readonly Edit[] = [
  "edits the template",
  "edits a label",
  "removes the marker",
  "puts the marker before back",
  "replaces it with the manifest",
  "applies the manifest",
  "pauses it",
  "resumes it",
  "deletes it",
  "deletes it and makes it again",
  "deletes it and leaves its pods",
  "makes its pods never ready",
  "makes its pods ready",
  "opts out",
  "opts in",
];
const POLICIES: readonly Policy[] = [
  "adds a label",
  "removes our annotation",
  "refuses our writes",
  "nothing",
];
/** A process that ends before another call ends before the next of these: others change nothing. */
const STOPS: readonly CallKind[] = [
  "patch",
  "write record",
  "write quota",
  "publish",
  "read record",
  "add job",
];
const CALLS: readonly CallKind[] = [...STOPS, "read workload", "list workloads", "read source"];

/** Mostly undefined. */
function seldom<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

/** `web` where it is left out; one that is not there is not written. */
const workload = seldom(fc.constantFrom<WorkloadName>("api", "batch"));

const pass: fc.Arbitrary<Act> = fc.record({
  do: fc.constant("pass"),
  ms: fc.constantFrom(100, 1_500, 5_000, 40_000, 720_000),
  until: seldom(fc.constantFrom(...STOPS)),
  cluster: fc.constantFrom(true, true, false),
});

const change: fc.Arbitrary<Act> = fc.record({
  do: fc.constant("change source"),
  source: fc.constantFrom("cfg", "cfg", "late"),
  value: fc.integer({ min: 0, max: 2 }),
});

const others: fc.Arbitrary<Act> = fc.oneof(
  fc.record<Act & { do: "controllers" }>({
    do: fc.constant("controllers"),
    count: fc.integer({ min: 1, max: 15 }),
    seed: fc.nat({ max: 99 }),
  }),
  fc.record<Act & { do: "scale" }>({
    workload,
    do: fc.constant("scale"),
    replicas: fc.integer({ min: 0, max: 3 }),
  }),
  {
    weight: 3,
    arbitrary: fc.record<Act & { do: "edit" }>({
      workload,
      do: fc.constant("edit"),
      edit: fc.constantFrom(...EDITS),
    }),
  },
  fc.record<Act & { do: "policy" }>({
    workload,
    do: fc.constant("policy"),
    policy: fc.constantFrom(...POLICIES),
  }),
  fc.record<Act & { do: "lose answers" }>({
    do: fc.constant("lose answers"),
    of: fc.constantFrom(...CALLS),
    performed: fc.boolean(),
    times: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record<Act & { do: "hold watches" }>({
    do: fc.constant("hold watches"),
    of: fc.constantFrom("workloads", "sources"),
    on: fc.constantFrom(true, true, false),
  }),
  fc.record<Act & { do: "break watches" }>({
    do: fc.constant("break watches"),
    expired: fc.boolean(),
  }),
  {
    weight: 6,
    arbitrary: fc.constantFrom<Act>(
      { do: "delete source", source: "cfg" },
      { do: "touch records" },
      { do: "empty Redis" },
      { do: "delete pod" },
      { do: "run Job", by: "schedule" },
      { do: "run Job", by: "hand" },
      { do: "pause queue", on: true },
      { do: "pause queue", on: false },
      { do: "resume halted" },
      { do: "pod quota", pods: 1 },
      { do: "pod quota", pods: 2 },
      { do: "pod quota" },
      { do: "node", node: "node-1", alive: false },
      { do: "node", node: "node-1", alive: true },
      { do: "NATS outage", on: true },
      { do: "NATS outage", on: true },
      { do: "NATS outage", on: false },
      { do: "kill", replica: 0 },
      { do: "kill", replica: 0 },
      { do: "kill", replica: 1 },
      { do: "restore" },
      { do: "backup" },
      { do: "freeze", minutes: 5 },
      { do: "unfreeze" },
    ),
  },
);

const act = fc.oneof(
  { weight: 3, arbitrary: pass },
  { weight: 3, arbitrary: change },
  { weight: 4, arbitrary: others },
);

export const schedules: fc.Arbitrary<Schedule> = fc.array(act, {
  minLength: 1,
  maxLength: 12,
  size: "max",
});

/** What is set up, with workloads of these shapes. */
export function configsOf(shapes: readonly WorldShape[]): fc.Arbitrary<WorldConfig> {
  const parts = fc.record({
    replicas: fc.integer({ min: 1, max: 2 }),
    attempts: fc.constantFrom(1, 3),
    maxRolling: seldom(fc.integer({ min: 1, max: 2 })),
    minReadySeconds: seldom(fc.constant(10)),
    shape: fc.constantFrom(...shapes),
    restarters: seldom(fc.constant(2)),
    workloads: seldom(fc.constantFrom(2, 3)),
    haltAfter: seldom(fc.integer({ min: 1, max: 2 })),
    breaksWith: seldom(fc.constant(2)),
    deadlineSeconds: seldom(fc.constant(30)),
  });
  // What is left out stays out of the text of a case.
  return parts.map(
    ({ shape, ...rest }) =>
      Object.fromEntries(
        Object.entries({ ...rest, ...shape }).filter(([, value]) => value !== undefined),
      ) as WorldConfig,
  );
}
