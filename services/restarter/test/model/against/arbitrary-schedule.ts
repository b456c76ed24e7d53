import fc from "fast-check";
import type { Fields } from "../cluster/object.ts";
import { KINDS, NODES } from "./schedule.ts";
import type { Kind, Moment, NodeName, Schedule, Write } from "./schedule.ts";

const small = fc.integer({ min: 0, max: 3 });
const replicas = fc.constantFrom(0, 1, 2, 3, 3);
const onOff = fc.boolean();
const minReadySeconds = fc.constantFrom(0, 0, 0, 1);

function rollingDeployment(): fc.Arbitrary<Fields> {
  return fc
    .record({
      maxSurge: fc.integer({ min: 0, max: 2 }),
      maxUnavailable: fc.integer({ min: 0, max: 2 }),
    })
    .filter(({ maxSurge, maxUnavailable }) => maxSurge + maxUnavailable > 0)
    .map((rollingUpdate) => ({ type: "RollingUpdate", rollingUpdate }));
}

const canaryStep = fc.constantFrom<Fields>(
  { setWeight: 20 },
  { setWeight: 50 },
  { setWeight: 80 },
  { pause: {} },
  { pause: {} },
  { pause: { duration: 1 } },
);

const SPECS: Readonly<Record<Kind, fc.Arbitrary<Fields>>> = {
  Deployment: fc.record({
    replicas,
    strategy: fc.oneof(
      { arbitrary: rollingDeployment(), weight: 4 },
      { arbitrary: fc.constant({ type: "Recreate" }), weight: 1 },
    ),
    minReadySeconds,
    progressDeadlineSeconds: fc.constantFrom(600, 600, 600, 2),
    paused: fc.constantFrom(false, false, false, true),
  }),
  StatefulSet: fc.record({
    replicas,
    serviceName: fc.constant("web"),
    podManagementPolicy: fc.constantFrom("OrderedReady", "Parallel"),
    minReadySeconds,
    updateStrategy: fc.oneof(
      {
        arbitrary: small.map((partition) => ({
          type: "RollingUpdate",
          rollingUpdate: { partition },
        })),
        weight: 3,
      },
      { arbitrary: fc.constant({ type: "OnDelete" }), weight: 1 },
    ),
  }),
  DaemonSet: fc.record({
    minReadySeconds,
    updateStrategy: fc.constantFrom(
      { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      { type: "OnDelete" },
    ),
  }),
  Job: fc.record({
    completions: fc.integer({ min: 1, max: 2 }),
    parallelism: fc.integer({ min: 1, max: 2 }),
    suspend: onOff,
    backoffLimit: fc.constantFrom(0, 1, 6),
  }),
  CronJob: fc.record({ suspend: onOff }),
  Rollout: fc.record({
    replicas,
    minReadySeconds,
    strategy: fc.record({
      canary: fc
        .record({
          maxSurge: fc.integer({ min: 0, max: 2 }),
          maxUnavailable: fc.integer({ min: 0, max: 2 }),
          steps: fc.array(canaryStep, { maxLength: 3 }),
        })
        .filter(({ maxSurge, maxUnavailable }) => maxSurge + maxUnavailable > 0),
    }),
  }),
};

const scale = replicas.map((count): Write => ({ do: "scale", replicas: count }));
const template = fc
  .integer({ min: 0, max: 3 })
  .map((version): Write => ({ do: "template", version }));
const stuck = onOff.map((on): Write => ({ do: "stuck", on }));
const paused = onOff.map((on): Write => ({ do: "paused", on }));
const partition = small.map((at): Write => ({ do: "partition", at }));
const suspend = onOff.map((on): Write => ({ do: "suspend", on }));
const annotate = small.map((value): Write => ({ do: "annotate", value }));
const deletePod = small.map((which): Write => ({ do: "delete pod", which }));
const quota = fc.constantFrom(0, 1, 1, 2, null).map((pods): Write => ({ do: "quota", pods }));
const again = fc.constant<Write>({ do: "make again" });
const run = fc
  .constantFrom(false, false, false, false, true)
  .map((fails): Write => ({ do: "run", fails }));
const promote = fc.constant<Write>({ do: "promote" });

const WRITES: Readonly<Record<Kind, readonly (readonly [number, fc.Arbitrary<Write>])[]>> = {
  Deployment: [
    [3, scale],
    [4, template],
    [2, stuck],
    [2, paused],
    [1, annotate],
    [2, deletePod],
    [2, quota],
    [1, again],
  ],
  StatefulSet: [
    [3, scale],
    [4, template],
    [2, stuck],
    [2, partition],
    [1, annotate],
    [2, deletePod],
    [2, quota],
    [1, again],
  ],
  DaemonSet: [
    [4, template],
    [2, stuck],
    [1, annotate],
    [2, deletePod],
    [1, quota],
    [1, again],
  ],
  Job: [
    [4, suspend],
    [1, quota],
    [1, annotate],
    [2, again],
  ],
  CronJob: [
    [3, suspend],
    [2, template],
    [4, run],
    [1, again],
  ],
  Rollout: [
    [3, scale],
    [4, template],
    [2, stuck],
    [2, paused],
    [2, promote],
    [1, annotate],
    [2, deletePod],
    [1, again],
  ],
};

const moment = fc.constantFrom<Moment>("at once", "soon", "at rest", "at rest");

/** Whether a write of the partition makes sense: without a rolling update there is none. */
function isApt(spec: Fields, write: Write): boolean {
  const strategy = spec.updateStrategy as Fields | undefined;
  return write.do !== "partition" || strategy?.type === "RollingUpdate";
}

function scheduleOf(kind: Kind): fc.Arbitrary<Schedule> {
  const choices = WRITES[kind].map(([weight, arbitrary]) => ({ weight, arbitrary }));
  const entry = fc.record({ when: moment, write: fc.oneof(...choices) });
  return fc
    .record({
      kind: fc.constant(kind),
      spec: SPECS[kind],
      fails: kind === "Job" ? onOff : fc.constant(false),
      writes: fc.array(entry, { minLength: 1, maxLength: 5 }),
    })
    .map((schedule) => ({
      ...schedule,
      writes: schedule.writes.filter(({ write }) => isApt(schedule.spec, write)),
    }));
}

/** A workload and what is done to it; Deployments and StatefulSets more often than the others. */
export const schedules: fc.Arbitrary<Schedule> = fc
  .constantFrom(...KINDS, "Deployment" as const, "Deployment" as const, "StatefulSet" as const)
  .chain(scheduleOf);

/** What brings a canary to a pause, and ends it. */
const promotion = fc.integer({ min: 4, max: 6 }).map((version): Schedule["writes"] => [
  { when: "at rest", write: { do: "template", version } },
  { when: "at rest", write: { do: "promote" } },
]);

type Entry = Schedule["writes"][number];

/**
 * A Rollout is made again at rest alone: Argo's controller, and that of ReplicaSets, write a status
 * by the name of its object, also where that is another one by then.
 */
function whenApt(entry: Entry): Entry {
  return entry.write.do === "make again" ? { ...entry, when: "at rest" } : entry;
}

/** A Rollout and what is done to it; every other time after a promotion. */
export const rolloutSchedules: fc.Arbitrary<Schedule> = fc
  .record({
    schedule: scheduleOf("Rollout"),
    before: fc.oneof(promotion, fc.constant<Schedule["writes"]>([])),
  })
  .map(({ schedule, before }) => {
    const writes = [...before, ...schedule.writes].map(whenApt);
    return { ...schedule, writes };
  });

/** Something happens to a node: it dies, or comes back where it is dead. */
type NodeChange = { readonly when: Moment; readonly node: NodeName };

function nodeWrites(changes: readonly NodeChange[]): Entry[] {
  const dead = new Set<NodeName>();
  return changes.map(({ when, node }) => {
    const state = dead.delete(node) ? "back" : "dead";
    if (state === "dead") dead.add(node);
    return { when, write: { do: "node", node, state } };
  });
}

/**
 * Not beside dead nodes: how long the quota counts a pod that cannot end is a matter of time, and
 * so is who has seen which of the objects of a workload that is made again.
 */
const isKept = ({ write }: Entry) => write.do !== "quota" && write.do !== "make again";

/** Each of these after one of the others. */
function mixed(others: readonly Entry[], ofNodes: readonly Entry[]): Entry[] {
  const all = others.flatMap((entry, i) => [entry, ...ofNodes.slice(i, i + 1)]);
  return [...all, ...ofNodes.slice(others.length)];
}

/** With more pods, writes or nodes that change it may take too many states to decide. */
const LIMITS = {
  Deployment: { writes: 2, replicas: 2, mortal: 1 },
  others: { writes: 3, replicas: 3, mortal: 2 },
} as const;

function limited(schedule: Schedule, most: number): Schedule {
  // Without a pod at first there is nothing to die.
  const sized = (count: unknown) => Math.min(most, Math.max(1, Number(count)));
  const { spec } = schedule;
  if (spec.replicas === undefined) return schedule;
  const writes = schedule.writes.map((entry): Entry => {
    const { write } = entry;
    if (write.do !== "scale") return entry;
    return { ...entry, write: { ...write, replicas: Math.min(most, write.replicas) } };
  });
  return { ...schedule, spec: { ...spec, replicas: sized(spec.replicas) }, writes };
}

/** A workload on nodes of its own, of which some die and may come back. */
export const nodeSchedules: fc.Arbitrary<Schedule> = fc
  .record({
    kind: fc.constantFrom<Kind>("Deployment", "StatefulSet", "DaemonSet", "DaemonSet", "Job"),
    nodes: fc.constantFrom<readonly NodeName[]>(["a"], NODES),
  })
  .chain(({ kind, nodes }) => {
    const limits = kind === "Deployment" ? LIMITS.Deployment : LIMITS.others;
    const node = fc.constantFrom(...nodes.slice(0, limits.mortal));
    return fc
      .record({
        schedule: scheduleOf(kind),
        evicts: onOff,
        changes: fc.array(fc.record({ when: moment, node }), { minLength: 1, maxLength: 3 }),
      })
      .map(({ schedule, evicts, changes }) => {
        const { writes, ...others } = limited(schedule, limits.replicas);
        const kept = writes.filter(isKept).slice(0, limits.writes);
        return { ...others, nodes, evicts, writes: mixed(kept, nodeWrites(changes)) };
      });
  });
