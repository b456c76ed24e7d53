import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { paths } from "@rollcast/testkit/objects";
import { ApiError } from "@rollcast/testkit/test-api";
import type { AnyObject } from "@rollcast/testkit/test-api";
import type { Running } from "@rollcast/testkit/process";
import { runPod } from "./kubelet.ts";
import type { Node, PodTemplate } from "./kubelet.ts";
import { containerOf, isReady } from "./pod-program.ts";
import type { PodProgram } from "./pod-program.ts";

export type Pod = AnyObject & {
  readonly spec: PodTemplate["spec"] & { readonly restartPolicy?: string };
};

/** A process that ended. */
export type Ended = {
  readonly pod: string;
  readonly image: string;
  /** Exit code, or the name of the signal that killed it. */
  readonly code: number | string;
  /** Whether its pod was being deleted. */
  readonly isDeleted: boolean;
  /** From the signal to its end; 0 where it ended by itself. */
  readonly seconds: number;
  readonly lines: readonly string[];
};

export type PodRun = AsyncDisposable & {
  /** Ends the pod: SIGTERM, and SIGKILL after the grace period. */
  delete(graceSeconds: number): void;
  report(): string;
};

export type PodRunOptions = {
  readonly pod: Pod;
  readonly program: PodProgram;
  readonly onEnd: (ended: Ended) => void;
};

/** More often than the probes of the chart, so that nobody waits for a period to be over. */
const PROBE_MS = 300;
/** Before the next try, where a real kubelet would back off for longer. */
const RESTART_MS = 1_000;
const KEPT = 5;

type State = { phase: string; ready: boolean; restartCount: number; state: object };

/** Runs a pod until it is deleted, and its container again as its restart policy says. */
export function runPodToEnd(node: Node, { pod, program, onEnd }: PodRunOptions): PodRun {
  const { name, uid } = pod.metadata;
  const path = paths.pod(node.namespace, name);
  const container = containerOf(pod);
  const deleted = Promise.withResolvers<void>();
  let grace: number | undefined;
  let current: Running | undefined;
  let failure = "";
  let isDisposed = false;

  /** What the API server no longer takes, because the pod is gone, matters to nobody. */
  async function tell(call: () => Promise<unknown>): Promise<void> {
    await call().catch((err: unknown) => {
      if (!(err instanceof ApiError && [404, 409].includes(err.status))) throw err;
    });
  }

  async function setStatus({ phase, ready, restartCount, state }: State): Promise<void> {
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, "");
    const condition = (type: string, is: boolean) => ({
      type,
      status: is ? "True" : "False",
      lastTransitionTime,
    });
    const { image } = container;
    const status = {
      phase,
      podIP: "127.0.0.1",
      conditions: [
        condition("PodScheduled", true),
        condition("Initialized", true),
        condition("ContainersReady", ready),
        condition("Ready", ready),
      ],
      containerStatuses: [
        { name: container.name, image, imageID: image, ready, restartCount, state },
      ],
    };
    // The uid, so that a pod of the same name that follows does not get it.
    await tell(() => node.api.patch(`${path}/status`, { metadata: { uid }, status }));
  }

  /** Tells whether it is ready until it has ended or shall end. */
  async function probe(running: Running, restartCount: number, lines: readonly string[]) {
    const state = { running: { startedAt: new Date().toISOString().replace(/\.\d+/, "") } };
    const threshold = container.readinessProbe?.failureThreshold ?? 3;
    let isTold = false;
    let failures = 0;
    await setStatus({ phase: "Running", ready: false, restartCount, state });
    while (!running.hasExited() && grace === undefined && !isDisposed) {
      const ready = await isReady(container, program, lines).catch(() => false);
      failures = ready ? 0 : failures + 1;
      if (ready !== isTold && (ready || failures >= threshold)) {
        await setStatus({ phase: "Running", ready, restartCount, state });
        isTold = ready;
      }
      await sleep(PROBE_MS);
    }
  }

  async function stop(running: Running): Promise<void> {
    if (running.hasExited()) return;
    process.kill(running.pid, "SIGTERM");
    const timer = setTimeout(() => process.kill(running.pid, "SIGKILL"), (grace ?? 0) * 1_000);
    await running.exited;
    clearTimeout(timer);
  }

  /** Runs the container once; whether it must run again. */
  async function runOnce(restartCount: number): Promise<boolean> {
    const lines: string[] = [];
    const onLine = (line: string) => lines.push(line);
    const running = await runPod(node, { name, template: pod, onLine, ...program });
    current = running;
    const probing = probe(running, restartCount, lines);
    probing.catch(() => undefined);
    await Promise.race([running.exited, deleted.promise]);
    const stoppedAt = Date.now();
    const isDeleted = grace !== undefined;
    if (isDisposed) return false;
    await stop(running);
    const code = await running.exited;
    const seconds = (Date.now() - stoppedAt) / 1_000;
    onEnd({ pod: name, image: container.image, code, isDeleted, seconds, lines });
    await probing;
    const isAgain =
      grace === undefined && (pod.spec.restartPolicy !== "OnFailure" || code !== 0) && !isDisposed;
    const phase = isAgain ? "Running" : code === 0 ? "Succeeded" : "Failed";
    const exitCode = typeof code === "number" ? code : 137;
    const state = { terminated: { exitCode, reason: code === 0 ? "Completed" : "Error" } };
    await setStatus({ phase, ready: false, restartCount, state });
    return isAgain;
  }

  async function live(): Promise<void> {
    for (let restarts = 0; grace === undefined && !isDisposed;) {
      try {
        if (!(await runOnce(restarts))) break;
        restarts += 1;
      } catch (err) {
        // What its volumes are made of is not there yet: a kubelet tries again, too.
        failure = String(err);
      }
      await Promise.race([sleep(RESTART_MS), deleted.promise]);
    }
    await deleted.promise;
    const body = { gracePeriodSeconds: 0, preconditions: { uid } };
    if (!isDisposed) await tell(() => node.api.call({ method: "DELETE", path, body }));
  }

  const living = live();
  living.catch((err: unknown) => (failure = String(err)));
  return {
    delete(graceSeconds) {
      grace ??= graceSeconds;
      deleted.resolve();
    },
    report: () => [failure, current?.output().split("\n").slice(-KEPT).join("\n")].join("\n"),
    async [Symbol.asyncDispose]() {
      isDisposed = true;
      deleted.resolve();
      await current?.kill();
      await living.catch(() => undefined);
    },
  };
}
