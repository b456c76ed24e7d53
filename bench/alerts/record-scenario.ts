import { cpus, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { readEvents } from "@rollcast/nats/history";
import type { Cluster } from "@rollcast/testkit/cluster";
import { startHarness } from "@rollcast/testkit/harness/harness";
import type { Harness, NatsAddress } from "@rollcast/testkit/harness/harness-types";
import { silent } from "../lab/silent.ts";
import { INTERVAL_SECONDS } from "./record/fixture.ts";
import { createRecorder } from "./record/recorder.ts";
import type { Recorder, Recording } from "./record/recorder.ts";
import { openPods } from "./world/pods.ts";
import type { Pods } from "./world/pods.ts";
import type { AlertScenario, AlertWorld } from "./world/alert-scenario.ts";

const client = {
  connect: (to: NatsAddress) => connectNats({ ...to, name: "alerts", logger: silent }),
  readEvents,
};

export type RecordOptions = {
  readonly cluster: Cluster;
  readonly commit: string;
  readonly speed: number;
  print(line: string): void;
};

function loadText(): string {
  const averages = loadavg().map((average) => average.toFixed(1));
  return `${averages.join(", ")} on ${cpus().length} cores`;
}

/** Starts a scenario's installation, without its pods. */
function install({ name, config }: AlertScenario, cluster: Cluster): Promise<Harness<Nats>> {
  return startHarness({
    cluster,
    namespace: name,
    faultProxy: true,
    nats: {},
    redis: {},
    receiver: true,
    client,
    config: (harness) => ({ log: { level: "info" }, ...config(harness) }),
  });
}

async function startPods(scenario: AlertScenario, harness: Harness, pods: Pods): Promise<void> {
  const restarter = await scenario.restarter?.(harness);
  // A restarter waits for the first sync of a watcher.
  for (const service of ["watcher", "restarter", "notifier"] as const) {
    const options = service === "restarter" ? restarter : {};
    for (let i = 0; i < scenario.pods[service]; i++) await pods.add(service, options);
  }
}

type Clock = { readonly minutes: () => number; readonly until: (minutes: number) => Promise<void> };

function startClock(speed: number): Clock {
  const began = Date.now();
  const msOf = (minutes: number) => (minutes * 60_000) / speed;
  return {
    minutes: () => ((Date.now() - began) * speed) / 60_000,
    until: (minutes) => sleep(Math.max(0, began + msOf(minutes) - Date.now())),
  };
}

/** Scrapes and probes until `minutes` have passed. */
async function record(
  recorder: Recorder,
  { pods, clock, minutes }: { pods: Pods; clock: Clock; minutes: number },
  isScraping: () => boolean,
): Promise<void> {
  const step = INTERVAL_SECONDS / 60;
  for (let tick = 0; tick * step <= minutes; tick++) {
    await clock.until(tick * step);
    const [restarted] = await Promise.all([
      pods.probe(),
      recorder.tick(isScraping() ? pods.targets() : undefined),
    ]);
    for (const name of restarted) recorder.act("kubelet", `${name} is restarted: it is not live`);
  }
}

/** Plays a scenario: what was scraped meanwhile, and why an act failed where one did. */
export async function recordScenario(
  scenario: AlertScenario,
  options: RecordOptions,
): Promise<{ recording: Recording; failure?: unknown }> {
  const { cluster, commit, speed, print } = options;
  const { name, minutes } = scenario;
  await using harness = await install(scenario, cluster);
  const pods = openPods(harness);
  await startPods(scenario, harness, pods);
  await scenario.prepare({ harness });
  let isScraping = true;
  const clock = startClock(speed);
  const before = loadText();
  const recorder = createRecorder(name, { commit, load: before }, () => clock.minutes() * 60);
  const world: AlertWorld = {
    harness,
    pods,
    at: (minute) => clock.until(minute),
    act(id, what) {
      print(`${name} ${clock.minutes().toFixed(1)} min: ${what}`);
      recorder.act(id, what);
    },
    setScraping: (next) => void (isScraping = next),
  };
  print(`${name} begins`);
  const recording = record(recorder, { pods, clock, minutes }, () => isScraping);
  const playing = scenario.play(world).catch((err: unknown) => {
    print(`${name}: an act failed: ${String(err)}`);
    throw err;
  });
  const [played] = await Promise.allSettled([playing, recording]);
  await recording;
  recorder.recording.load = `load averages ${before} at the begin, ${loadText()} at the end`;
  return {
    recording: recorder.recording,
    failure: played.status === "rejected" ? played.reason : undefined,
  };
}
