import type { SourceEvent } from "@rollcast/shared/events";
import type { WorkloadKey } from "../../../src/model/workload.ts";
import { owner } from "../ports/clock.ts";
import { createGate } from "../ports/gate.ts";
import type { Gate } from "../ports/gate.ts";
import type { Recorder } from "./history.ts";
import type { Ports } from "./ports.ts";
import { startProcess } from "./process.ts";
import type { RestarterProcess } from "./process.ts";

/** One replica of the restarter: a process, and another where it is killed. */
export type Replica = {
  readonly gate: () => Gate;
  /** It runs, and does not wait before a call. */
  isTaking(): boolean;
  takeJob(): boolean;
  plan(event: SourceEvent): Promise<void>;
  resync(reason: string): void;
  restart(): void;
  /** Kills it for good, when the world is over. */
  end(): void;
};

/** A process that ends is started again so much later. */
const RESTART_MS = 5_000;

/** Starts a replica. */
export function startReplica(ports: Ports, recorder: Recorder): Replica {
  const { clock, jobs } = ports;
  let process: RestarterProcess | undefined;
  let gate: Gate;
  const gates: Gate[] = [];
  const start = () => {
    const identity = {};
    const own = createGate(identity, {
      lost({ kind, performed, what }) {
        recorder.add({ at: clock.now(), type: "lost", kind, performed });
        const done = performed ? "but it was done" : "and it was not done";
        recorder.note(`no answer, ${done}: ${what}`);
      },
      stopped: (kind) => recorder.add({ at: clock.now(), type: "stopped", kind }),
    });
    gate = own;
    gates.push(own);
    process = undefined;
    owner.run(identity, () => {
      startProcess(ports, own, (ready) => {
        if (!own.isDead()) process = ready;
      }).catch((err: unknown) => {
        recorder.note(`a restarter ends as it cannot start: ${String(err)}`);
        own.kill();
        clock.drop(identity);
        owner.exit(() => setTimeout(() => gate === own && start(), RESTART_MS));
      });
    });
  };
  start();
  return {
    gate: () => gate,
    isTaking: () => process !== undefined && gate.stopped() === undefined,
    takeJob() {
      const job = jobs.next(clock.now());
      if (process === undefined || job === undefined) return false;
      const { work } = process;
      const running = owner.run(gate.process, () =>
        jobs.run(job, gate.process, (attempt) => work(job.id as WorkloadKey, attempt)),
      );
      running.catch(() => undefined);
      return true;
    },
    async plan(event) {
      if (process === undefined) throw new Error("no process takes events");
      const { plan } = process;
      await owner.run(gate.process, () => plan(event));
    },
    resync(reason) {
      const { resync } = process ?? {};
      if (resync !== undefined) owner.run(gate.process, () => resync(reason));
    },
    restart() {
      gate.kill();
      clock.drop(gate.process);
      jobs.stall(gate.process, clock.now());
      start();
    },
    end() {
      gate.kill();
      for (const each of gates) each.abandon();
    },
  };
}
