import type { ControlEntry } from "../../../src/model/control-entry.ts";
import { createBucket } from "../ports/bucket.ts";
import type { BucketWrite } from "../ports/bucket.ts";
import { createJobs } from "../ports/jobs.ts";
import { createKubeApi } from "../ports/kube-api.ts";
import { createStream } from "../ports/stream.ts";
import { createObjectStore } from "../cluster/object-store.ts";
import type { Admission, ObjectStore } from "../cluster/object-store.ts";
import { installClock } from "../ports/clock.ts";
import type { VirtualClock } from "../ports/clock.ts";
import { createCluster } from "./cluster.ts";
import { START, queuesOf } from "./config.ts";
import type { WorldConfig } from "./config.ts";
import { idle } from "../ports/gate.ts";
import type { CallKind, Loss } from "../ports/gate.ts";
import { createRecorder } from "./history.ts";
import type { History, Recorder } from "./history.ts";
import type { Ports } from "./ports.ts";
import { startReplica } from "./replica.ts";
import { createSourceEvents } from "./source-events.ts";
import { createWatcher } from "./watcher.ts";
import type { Watcher } from "./watcher.ts";

/** Everything that the restarter meets, with one clock; nothing happens by itself. */
export type World = {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ports: Ports;
  readonly recorder: Recorder;
  readonly watcher: Watcher;
  /** Lets watches deliver nothing, or deliver again; those of workloads for {@link SILENCE_MS}. */
  holdWatches(of: WatchOf, isOn: boolean): void;
  /** Time passes, until the first replica is about to make such a call. */
  pass(options: PassOptions): Promise<void>;
  /** So many acts of the controllers, in an order that the seed decides. */
  controllers(count: number, seed: number): void;
  /** Kills a replica between two calls; another process starts in its place. */
  restart(replica: number): void;
  /** Sets what admission does by this name; undefined: nothing. */
  admit(name: string, hook: Admission | undefined): void;
  lose(loss: Loss): void;
  forgetLosses(): void;
  resync(reason: string): void;
  /** NATS goes, or comes back. */
  outage(isOn: boolean): void;
  history(): History;
  close(): Promise<void>;
};

/** Whose watches. */
export type WatchOf = "workloads" | "sources";

export type PassOptions = {
  readonly ms: number;
  readonly until?: CallKind | undefined;
  /** Whether the controllers of the cluster work meanwhile. */
  readonly cluster?: boolean;
};

/**
 * A watch of workloads without a byte counts as dead after 150 s (`silenceMs` of a reflector), and
 * is listed anew. What of sources does not arrive may be due to a watcher that is down.
 */
const SILENCE_MS = 180_000;
/** Watches are open again so long after NATS answers. */
const REOPEN_MS = 300;
const FINE_MS = 500;
const COARSE_MS = 30_000;
const FINE_FOR_MS = 3_000;
const MAX_ROUNDS = 5_000;

function portsOf(config: WorldConfig, clock: VirtualClock, { recorder, store }: Outside): Ports {
  const [queue] = queuesOf(config);
  if (queue === undefined) throw new Error("no queue");
  const { attempts, backoff, name } = queue;
  const now = clock.now;
  const outage = { isOn: false, areWatchesClosed: false };
  const addRecord =
    (type: "record" | "restored record") =>
    ({ key, text }: Pick<BucketWrite, "key" | "text">) => {
      const record = text === undefined ? undefined : JSON.parse(text);
      recorder.add({ at: now(), type, key, record });
    };
  const onControl = ({ key, text }: BucketWrite) => {
    const entry = text === undefined ? undefined : (JSON.parse(text) as ControlEntry);
    recorder.add({ at: now(), type: "control", key, entry });
  };
  return {
    config,
    clock,
    kube: createKubeApi({
      store,
      refused: ({ reason, message }) =>
        recorder.add({ at: now(), type: "refused", reason, by: message }),
      written: () => recorder.sync("rollcast"),
    }),
    outage,
    records: createBucket({
      name: "workloads",
      outage,
      onWrite: addRecord("record"),
      onRestore: addRecord("restored record"),
    }),
    sources: createBucket({ name: "sources", outage }),
    control: createBucket({ name: "control", outage, onWrite: onControl }),
    jobs: { ...createJobs({ queue: name, attempts, backoff, now }), config: queue },
    stream: createStream({
      now,
      outage,
      onEvent: (event, duplicate) => recorder.add({ at: now(), type: "event", event, duplicate }),
    }),
    resyncIntervalMs: 300_000,
  };
}

type Outside = { readonly recorder: Recorder; readonly store: ObjectStore };

export function createWorld(config: WorldConfig): World {
  const clock = installClock(START);
  const store = createObjectStore({ now: clock.now });
  const recorder = createRecorder(store);
  const ports = portsOf(config, clock, { recorder, store });
  const { kube, jobs, records, sources, control } = ports;
  const events = createSourceEvents(clock.now);
  const cluster = createCluster(store, () => recorder.sync("cluster"));
  const { writtenAt } = recorder;
  const watcher = createWatcher({ store, sources, writtenAt, emit: events.emit });
  const heldSince = new Map<WatchOf, number>();
  const isSilent = () => {
    const since = heldSince.get("workloads");
    return since !== undefined && clock.now() - since < SILENCE_MS;
  };
  const replicas = Array.from({ length: config.restarters ?? 1 }, () =>
    startReplica(ports, recorder),
  );
  const isStopped = () => replicas[0]?.gate().stopped() !== undefined;
  const hooks = new Map<string, Admission>();
  let next = 0;
  /** Work goes to one replica after the other. */
  const take = (): boolean => {
    const taking = replicas.filter((replica) => replica.isTaking());
    const replica = taking[next++ % Math.max(1, taking.length)];
    if (replica === undefined) return false;
    return [events.take(replica), replica.takeJob()].some(Boolean);
  };
  const deliver = (): boolean =>
    [
      !isSilent() && kube.deliver(),
      !heldSince.has("sources") && !ports.outage.isOn && watcher.deliver(),
      records.deliver(),
      sources.deliver(),
      control.deliver(),
      take(),
    ].some(Boolean);
  /** Everything that can happen at this moment. */
  const runNow = async (works: boolean): Promise<void> => {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await idle();
      if (isStopped() && replicas.length === 1) return;
      const before = store.events().length;
      if (works) cluster.work(round);
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
    holdWatches(of, isOn) {
      if (!isOn) heldSince.delete(of);
      else if (!heldSince.has(of)) heldSince.set(of, clock.now());
    },
    async pass({ ms, until, cluster: works = false }) {
      const began = clock.now();
      const end = began + ms;
      for (const [i, replica] of replicas.entries()) {
        replica.gate().open(i === 0 ? until : undefined);
      }
      for (;;) {
        await runNow(works);
        if (isStopped() && replicas.length === 1) return;
        if (clock.now() >= end) return;
        const isFine = clock.now() - began < FINE_FOR_MS;
        const pause = isFine ? FINE_MS : COARSE_MS;
        if (!isFine) kube.bookmark();
        const due = [
          // Later, timers may be late: a busy process is so too.
          isFine ? clock.next() : undefined,
          works ? cluster.restUntil() : undefined,
          jobs.nextTime(),
          events.nextTime(),
          clock.now() + pause,
        ].filter((time) => time !== undefined);
        clock.advance(Math.min(end, Math.max(Math.min(...due), clock.now() + 1)));
      }
    },
    admit(name, hook) {
      if (hook === undefined) hooks.delete(name);
      else hooks.set(name, hook);
      store.admission.splice(0, Infinity, ...hooks.values());
    },
    controllers: (count, seed) => cluster.work(seed, count),
    restart(i) {
      const replica = replicas[i % replicas.length];
      if (replica === undefined) return;
      events.returnFrom(replica);
      replica.restart();
    },
    lose: (loss) => replicas[0]?.gate().lose(loss),
    forgetLosses() {
      for (const replica of replicas) replica.gate().forgetLosses();
    },
    resync(reason) {
      for (const replica of replicas) replica.resync(reason);
    },
    outage(isOn) {
      const { outage } = ports;
      if (isOn === outage.isOn) return;
      outage.isOn = isOn;
      if (isOn) {
        outage.areWatchesClosed = true;
        for (const bucket of [records, sources, control]) bucket.gap();
        return;
      }
      for (const replica of replicas) replica.resync("nats-reconnect");
      setTimeout(() => {
        if (outage.isOn) return;
        outage.areWatchesClosed = false;
        for (const bucket of [records, sources, control]) bucket.gap();
      }, REOPEN_MS);
    },
    history: () => recorder.entries,
    async close() {
      for (const replica of replicas) replica.end();
      // What ends then sets no real timer.
      await idle();
      clock.uninstall();
    },
  };
}
