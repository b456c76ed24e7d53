import type { SourceEvent } from "@rollcast/shared/events";

import type { WorkloadKey } from "../../../src/model/workload.ts";
import { createBucket } from "../ports/bucket.ts";
import type { BucketWrite } from "../ports/bucket.ts";
import { createJobs } from "../ports/jobs.ts";
import { createKubeApi } from "../ports/kube-api.ts";
import { createStream } from "../ports/stream.ts";
import { createObjectStore } from "../cluster/object-store.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import { runToRest, seededChoice } from "../cluster/run-to-rest.ts";
import { controllerActs } from "../cluster/controllers.ts";
import { nextTime } from "../cluster/next-time.ts";
import { installClock, owner } from "./clock.ts";
import type { VirtualClock } from "./clock.ts";
import { START, queuesOf } from "./config.ts";
import type { WorldConfig } from "./config.ts";
import { createGate, idle } from "./gate.ts";
import type { CallKind, Gate, Loss } from "./gate.ts";
import { createRecorder } from "./history.ts";
import type { History, Recorder } from "./history.ts";
import type { Ports } from "./ports.ts";
import { startProcess } from "./process.ts";
import type { RestarterProcess } from "./process.ts";
import { createWatcher } from "./watcher.ts";
import type { Watcher } from "./watcher.ts";

/** Everything that the restarter meets, with one clock, and nothing that happens by itself. */
export type World = {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ports: Ports;
  readonly recorder: Recorder;
  readonly watcher: Watcher;
  /** What does not arrive for now. */
  readonly lagging: { workloads: boolean; sources: boolean };
  readonly gate: () => Gate;
  /** Time passes, until the restarter is about to make such a call. */
  pass(options: PassOptions): Promise<void>;
  /** So many acts of the controllers, in an order that the seed decides. */
  controllers(count: number, seed: number): void;
  /** Kills the restarter between two calls; another starts. */
  restart(): void;
  lose(loss: Loss): void;
  resync(reason: string): void;
  history(): History;
  close(): void;
};

export type PassOptions = {
  readonly ms: number;
  readonly until?: CallKind | undefined;
  /** Whether the controllers of the cluster work meanwhile. */
  readonly cluster?: boolean;
};

const FINE_MS = 500;
const COARSE_MS = 30_000;
const FINE_FOR_MS = 3_000;
const MAX_ROUNDS = 5_000;

export function createWorld(config: WorldConfig): World {
  const clock = installClock(START);
  const store = createObjectStore({ now: clock.now });
  const recorder = createRecorder(store);
  const writes: number[] = [];
  const writtenAt = (version: number) => {
    noteTimes();
    return writes[version] ?? clock.now();
  };
  const noteTimes = () => {
    const last = store.events().at(-1)?.resourceVersion ?? 0;
    while (writes.length <= last) writes.push(clock.now());
  };
  const onRecord = ({ key, text }: BucketWrite) =>
    recorder.add({
      at: clock.now(),
      type: "record",
      key,
      record: text === undefined ? undefined : JSON.parse(text),
    });
  const sources = createBucket("sources", () => undefined);
  const [queue] = queuesOf(config);
  if (queue === undefined) throw new Error("no queue");
  const { attempts, backoff } = queue;
  const ports: Ports = {
    config,
    clock,
    kube: createKubeApi({
      store,
      refused: ({ reason, message }) =>
        recorder.add({ at: clock.now(), type: "refused", reason, by: message }),
      written: () => recorder.sync("rollcast"),
    }),
    records: createBucket("workloads", onRecord),
    sources,
    control: createBucket("control", () => undefined),
    jobs: {
      ...createJobs({ queue: queue.name, attempts, backoff, now: clock.now }),
      config: queue,
    },
    stream: createStream(clock.now, (event, duplicate) =>
      recorder.add({ at: clock.now(), type: "event", event, duplicate }),
    ),
    resyncIntervalMs: 300_000,
  };
  let planned: { event: SourceEvent; due: number; running: boolean }[] = [];
  const watcher = createWatcher({
    store,
    sources,
    writtenAt,
    emit: (event) => planned.push({ event, due: 0, running: false }),
  });
  const lagging = { workloads: false, sources: false };
  let process: RestarterProcess | undefined;
  let gate: Gate;
  const start = () => {
    const identity = {};
    const own = createGate(identity, ({ kind, performed, what }) => {
      recorder.add({ at: clock.now(), type: "lost", kind, performed });
      recorder.note(`no answer, ${performed ? "but it was done" : "and it was not done"}: ${what}`);
    });
    gate = own;
    process = undefined;
    owner.run(identity, () => {
      startProcess(ports, own, (ready) => {
        process = ready;
      }).catch((err: unknown) => {
        recorder.note(`the restarter does not start: ${String(err)}`);
      });
    });
  };
  start();

  const takeJobs = (): boolean => {
    if (process === undefined) return false;
    const { work } = process;
    let some = false;
    for (
      let job = ports.jobs.next(clock.now());
      job !== undefined;
      job = ports.jobs.next(clock.now())
    ) {
      const taken = job;
      some = true;
      const running = owner.run(gate.process, () =>
        ports.jobs.run(taken, (attempt) => work(taken.id as WorkloadKey, attempt)),
      );
      running.catch(() => undefined);
    }
    return some;
  };
  const takeEvents = (): boolean => {
    if (process === undefined) return false;
    const { plan } = process;
    const due = planned.filter((entry) => !entry.running && entry.due <= clock.now());
    for (const entry of due) {
      entry.running = true;
      owner
        .run(gate.process, () => plan(entry.event))
        .then(
          () => {
            planned = planned.filter((other) => other !== entry);
          },
          () => {
            entry.running = false;
            entry.due = clock.now() + 1_000;
          },
        );
    }
    return due.length > 0;
  };
  const deliver = (): boolean => {
    const { kube, records, control } = ports;
    const arrivals = [
      !lagging.workloads && kube.deliver(),
      !lagging.sources && watcher.deliver(),
      records.deliver(),
      sources.deliver(),
      control.deliver(),
      takeEvents(),
      takeJobs(),
    ];
    return arrivals.some(Boolean);
  };
  /** The controllers have nothing to do before another write, or this time. */
  let rest = { events: -1, until: 0 };
  const isAtRest = () => rest.events === store.events().length && clock.now() < rest.until;
  const controllers = (seed: number, count?: number) => {
    if (isAtRest()) return;
    const choose = seededChoice(seed);
    if (count === undefined) runToRest(store, { choose });
    for (let left = count ?? 0; left > 0; left--) {
      const acts = controllerActs(store);
      acts[choose(acts.length)]?.run();
    }
    if (count === undefined) {
      const until = nextTime(store) ?? Number.POSITIVE_INFINITY;
      rest = { events: store.events().length, until };
    }
    recorder.sync("cluster");
    noteTimes();
  };
  /** Everything that can happen at this moment. */
  const runNow = async (cluster: boolean): Promise<void> => {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await idle();
      noteTimes();
      if (gate.stopped() !== undefined) return;
      const before = store.events().length;
      if (cluster) controllers(round);
      const some = deliver() || store.events().length > before || clock.due();
      if (clock.due()) clock.advance(clock.now());
      if (!some) return;
    }
    throw new Error("the world does not come to rest");
  };
  return {
    clock,
    store,
    ports,
    recorder,
    watcher,
    lagging,
    gate: () => gate,
    async pass({ ms, until, cluster = false }) {
      const began = clock.now();
      const end = began + ms;
      gate.open(until);
      for (;;) {
        await runNow(cluster);
        if (gate.stopped() !== undefined || clock.now() >= end) return;
        const pause = clock.now() - began < FINE_FOR_MS ? FINE_MS : COARSE_MS;
        if (pause === COARSE_MS) ports.kube.bookmark();
        const events = planned.map(({ due }) => due).filter((due) => due > clock.now());
        const next = Math.min(
          clock.next() ?? end,
          cluster ? rest.until : end,
          ports.jobs.nextTime() ?? end,
          clock.now() + pause,
          end,
          ...events,
        );
        clock.advance(Math.max(next, clock.now() + 1));
      }
    },
    controllers: (count, seed) => controllers(seed, count),
    restart() {
      gate.kill();
      clock.drop(gate.process);
      ports.jobs.stall(clock.now());
      for (const entry of planned) entry.running = false;
      start();
    },
    lose: (loss) => gate.lose(loss),
    resync: (reason) => {
      const { resync } = process ?? {};
      if (resync !== undefined) owner.run(gate.process, () => resync(reason));
    },
    history: () => recorder.entries,
    close() {
      gate.kill();
      clock.uninstall();
    },
  };
}
