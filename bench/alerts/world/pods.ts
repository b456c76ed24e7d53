import { setTimeout as sleep } from "node:timers/promises";
import type { Harness, StartOptions } from "@rollcast/testkit/harness/harness-types";
import type { Service, ServiceName } from "@rollcast/testkit/services";
import type { Target } from "../record/scrape.ts";

export type PodService = Exclude<ServiceName, "provision">;

/** A pod of an installation: a name that stays when its process is another one. */
export type ScrapedPod = {
  readonly service: PodService;
  readonly name: string;
  /** Undefined while its container waits to be started again. */
  process: Service | undefined;
};

/** The pods of an installation, as Deployments, their kubelets and Prometheus see them. */
export type Pods = {
  of(service: PodService): readonly ScrapedPod[];
  /** Starts one more, and waits until it is ready. */
  add(service: PodService, options?: StartOptions): Promise<ScrapedPod>;
  /** Takes the pod away: Prometheus no longer knows it. */
  remove(pod: ScrapedPod): Promise<void>;
  /** Ends the process; the pod stays. */
  stop(pod: ScrapedPod, signal?: NodeJS.Signals): Promise<void>;
  /** Starts its process again; with `wait: false` does not wait until it is ready. */
  start(pod: ScrapedPod, options?: StartOptions): Promise<void>;
  targets(): Target[];
  /**
   * Looks once at the probes, and restarts what has not been live for a minute, as the chart has
   * it. Returns the names of those pods.
   */
  probe(): Promise<string[]>;
};

const PROBE_TIMEOUT_MS = 6_000;
const FAILED_PROBES = 2;

/** As the Prometheus operator labels a series of a ServiceMonitor, as far as alerts may ask. */
function labelsOf({ service, name }: ScrapedPod, number: number): Record<string, string> {
  return {
    job: `rollcast-${service}`,
    instance: `10.0.0.${number}:8080`,
    namespace: "rollcast",
    pod: name,
  };
}

async function isLive(process: Service): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    return (await fetch(`${process.http()}/livez`, { signal })).ok;
  } catch {
    return false;
  }
}

/** Starts no pod yet. */
export function openPods(harness: Pick<Harness, "start">): Pods {
  const pods = new Map<ScrapedPod, { readonly number: number; readonly options: StartOptions }>();
  /** Failed probes in a row of a process that was live once: a start may take its time. */
  const failures = new Map<Service, number>();
  let made = 0;
  const start = async (pod: ScrapedPod, more: StartOptions = {}) => {
    const options = { ...pods.get(pod)?.options, ...more };
    pod.process = await harness.start(pod.service, { ...options, wait: false });
    if (options.wait !== false) await pod.process.waitReady();
  };
  const stop = async (pod: ScrapedPod, signal?: NodeJS.Signals) => {
    const { process } = pod;
    pod.process = undefined;
    await process?.kill(signal);
  };
  return {
    of: (service) => [...pods.keys()].filter((pod) => pod.service === service),
    async add(service, options = {}) {
      made++;
      const pod: ScrapedPod = { service, name: `rollcast-${service}-${made}`, process: undefined };
      pods.set(pod, { number: made, options });
      await start(pod);
      return pod;
    },
    async remove(pod) {
      pods.delete(pod);
      await stop(pod);
    },
    stop,
    start,
    targets: () =>
      [...pods].map(([pod, { number }]) => ({
        labels: labelsOf(pod, number),
        async read(signal) {
          if (pod.process === undefined) throw new Error("it does not run");
          return (await fetch(`${pod.process.http()}/metrics`, { signal })).text();
        },
      })),
    async probe() {
      const restarted: string[] = [];
      const probeOne = async (pod: ScrapedPod) => {
        const { process } = pod;
        if (process === undefined) return;
        const before = failures.get(process);
        const failed = (await isLive(process)) ? 0 : before === undefined ? undefined : before + 1;
        if (failed !== undefined) failures.set(process, failed);
        if (failed === undefined || failed < FAILED_PROBES || pod.process !== process) return;
        restarted.push(pod.name);
        await stop(pod);
        await sleep(1_000);
        await start(pod, { wait: false });
      };
      await Promise.all([...pods.keys()].map(probeOne));
      return restarted;
    },
  };
}
