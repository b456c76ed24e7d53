import type { Act, Schedule } from "../acts/act.ts";
import { NO_MORE_FAULTS, sentenceOf } from "../acts/act.ts";
import { applyAct } from "../acts/apply-act.ts";
import { breakingWith } from "../acts/policies.ts";
import type { Backups } from "../acts/apply-act.ts";
import { manifest, node, source, workloadRef } from "../acts/objects.ts";
import type { WorkloadRecord } from "../../../src/model/workload-record.ts";
import { isComplete } from "../oracle/complete.ts";
import { NODES, namesOf } from "../world/config.ts";
import type { WorldConfig } from "../world/config.ts";
import type { History } from "../world/history.ts";
import { createWorld } from "../world/world.ts";
import type { World } from "../world/world.ts";

/** What happened in a schedule, up to the end of everything that was due. */
export type Run = {
  readonly config: WorldConfig;
  readonly schedule: Schedule;
  readonly history: History;
};

const REST_MS = 5_000;
/** Longer than any backoff of a process. */
const BACKOFF_MS = 60_000;
const MAX_REST_MS = 45 * 60_000;

/** Before the first act the workload runs, and its record is written. */
async function begin(world: World): Promise<void> {
  const by = { manager: "owner" };
  const { config, jobs } = world.ports;
  const { attempts, maxRolling, haltAfter } = jobs.config;
  world.recorder.add({ at: world.clock.now(), type: "queue", attempts, maxRolling, haltAfter });
  if (config.breaksWith !== undefined) world.admit("content", breakingWith(config.breaksWith));
  world.store.create(source("cfg", 0), by);
  if (config.kind === "DaemonSet") {
    for (const name of NODES) world.store.create(node(name), by);
  }
  for (const name of namesOf(config)) world.store.create(manifest(config, name), by);
  world.recorder.sync("owner");
  await world.pass({ ms: 3_000, cluster: true });
}

/** Whether the cluster has nothing to do for the workloads. */
function isIdle({ store, ports }: World): boolean {
  return namesOf(ports.config).every((name) => {
    const workload = store.get(workloadRef(ports.config, name));
    return workload === undefined || workload.spec?.paused === true || isComplete(workload);
  });
}

function isAtRest(world: World): boolean {
  if (!isIdle(world)) return false;
  const records = [...world.ports.records.entries().values()]
    .filter(({ text }) => text !== undefined)
    .map(({ text }) => JSON.parse(text as string) as WorkloadRecord);
  return (
    world.ports.jobs.nextTime() === undefined &&
    records.every(
      ({ phase, outbox, due, failure, planned, recreate }) =>
        (phase === "current" || phase === "failed") &&
        outbox.length === 0 &&
        due === undefined &&
        // What may still be done without an answer is waited for.
        planned === undefined &&
        recreate === undefined &&
        failure === undefined,
    )
  );
}

const END_OF_FAULTS: readonly Act[] = [
  { do: "hold watches", of: "workloads", on: false },
  { do: "hold watches", of: "sources", on: false },
  { do: "NATS outage", on: false },
];

/** No more faults: everything that is due happens. */
async function end(world: World): Promise<void> {
  for (const act of END_OF_FAULTS) await applyAct(world, act, { taken: undefined });
  world.forgetLosses();
  for (let passed = 0; passed < MAX_REST_MS;) {
    await world.pass({ ms: BACKOFF_MS, cluster: true });
    world.resync("interval");
    await world.pass({ ms: REST_MS, cluster: true });
    if (isAtRest(world)) return;
    await world.pass({ ms: 300_000, cluster: true });
    passed += 300_000 + BACKOFF_MS + REST_MS;
  }
}

/** Runs a schedule in a world of its own. */
export async function run(config: WorldConfig, schedule: Schedule): Promise<Run> {
  const world = createWorld(config);
  try {
    await begin(world);
    const backups: Backups = { taken: undefined };
    await applyAct(world, { do: "backup" }, backups);
    for (const act of schedule) {
      world.clock.advance(world.clock.now() + 1);
      world.recorder.act(sentenceOf(act));
      await applyAct(world, act, backups);
    }
    world.recorder.act(NO_MORE_FAULTS);
    await end(world);
    world.recorder.note("the end");
    return { config, schedule, history: [...world.history()] };
  } finally {
    await world.close();
  }
}
