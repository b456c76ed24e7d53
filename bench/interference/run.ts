import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mapLimit } from "@rollcast/async/map-limit";
import { connectNats } from "@rollcast/nats/connect";
import { readEvents } from "@rollcast/nats/history";
import type { RollcastEvent, RolloutEvent } from "@rollcast/shared/events";
import { startHarness } from "@rollcast/testkit/harness/harness";
import type { NatsAddress } from "@rollcast/testkit/harness/harness-types";
import { addNode, nodeOf } from "@rollcast/testkit/node";
import { paths } from "@rollcast/testkit/objects";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { grantAll } from "../lab/grant-all.ts";
import { silent } from "../lab/silent.ts";
import { readAuditLog } from "./evidence/audit-log.ts";
import { outcomeOf } from "./evidence/evidence.ts";
import type { Evidence } from "./evidence/evidence.ts";
import { isEnd } from "./evidence/history.ts";
import { createPodHistory } from "./evidence/pod-history.ts";
import { watchCollection } from "./evidence/watch.ts";
import { makeChanges, planChanges } from "./world/changes.ts";
import {
  SOURCES,
  fleet,
  isInterferedBy,
  keyOf,
  memberPath,
  objectOf,
  sourceObject,
} from "./world/fleet.ts";
import type { FleetMember } from "./world/fleet.ts";
import { addPolicies } from "./world/policies.ts";
import { apply, applyAll, scale, strip } from "./world/writers.ts";
import type { World } from "./world/writers.ts";

const ROLLCAST = "restarter";
const MINUTE_MS = 60_000;
const MAX_REST_MS = 180_000;
/** No event of a rollout for so long is the end: longer than windows and retries on any machine. */
const QUIET_MS = 20_000;
const WRITERS = 8;
/** Beside the first one, so that a DaemonSet has three pods. */
const NODES = ["node-2", "node-3"];

const client = {
  connect: (to: NatsAddress) => connectNats({ ...to, name: "interference", logger: silent }),
  readEvents,
};

function isRollout(event: RollcastEvent): event is RolloutEvent {
  return event.type.startsWith("dev.rollcast.rollout.");
}

/** Whether a rollout has started and not ended. */
function isInProgress(events: readonly RolloutEvent[]): boolean {
  const open = new Set<string | undefined>();
  for (const event of events) {
    if (outcomeOf(event) === "started") open.add(event.data.rollout);
    else if (isEnd(event)) open.delete(event.data.rollout);
  }
  return open.size > 0;
}

/**
 * Waits until nothing more comes: for some time no event, and every rollout has ended. False: that
 * did not happen; what is missing shows where it is compared.
 */
async function waitRest(readRollouts: () => Promise<readonly RolloutEvent[]>): Promise<boolean> {
  let last = { count: -1, at: Date.now() };
  const isAtRest = async () => {
    const events = await readRollouts();
    if (events.length !== last.count) last = { count: events.length, at: Date.now() };
    return Date.now() - last.at > QUIET_MS && !isInProgress(events);
  };
  const options = { timeout: MAX_REST_MS, every: 1_000, message: "all rollouts to end" };
  return waitFor(isAtRest, options).catch(() => false);
}

async function create({ api, namespace, members }: World): Promise<void> {
  for (const source of SOURCES) {
    const { path, object } = sourceObject(namespace, source, "0");
    await api.create(path, object);
  }
  await mapLimit(members, WRITERS, async (member) => {
    if (isInterferedBy(member, "applied")) await apply({ api, namespace }, member, 0);
    else
      await api.create(memberPath(namespace, { ...member, name: "" }), objectOf(namespace, member));
  });
}

type Condition = { readonly type: string; readonly reason?: string };

/** What a run leaves to be compared. */
export type Run = { readonly evidence: Evidence; readonly members: readonly FleetMember[] };

export type RunOptions = {
  readonly minutes: number;
  readonly changes: number;
  readonly keep: string | undefined;
  print(line: string): void;
};

/**
 * Watcher and two restarters on a real control plane, while sources change and others write the
 * workloads; then everything that this left behind.
 */
export async function runInterference({ minutes, changes, keep, print }: RunOptions): Promise<Run> {
  await using harness = await startHarness({
    cluster: { audit: "writes" },
    namespace: "interference",
    nats: {},
    redis: {},
    client,
    config: () => ({
      log: { level: "info" },
      queues: [{ name: "default", window: "1s", concurrency: 20 }],
      rollout: { loopBreaker: { maxRollouts: 1_000 } },
    }),
  });
  const { api, cluster, namespace } = harness;
  await grantAll(cluster, ["watcher", ROLLCAST]);
  for (const name of NODES) await addNode(api, nodeOf(name));

  await using watches = new AsyncDisposableStack();
  const pods = createPodHistory();
  const deadlines: Evidence["deadlines"][number][] = [];
  watches.use(
    await watchCollection(cluster, paths.pod(namespace), (event) => {
      pods.onEvent(event, Date.now());
    }),
  );
  const onDeployment = ({ metadata, status }: AnyObject) => {
    const { conditions = [] } = (status ?? {}) as { conditions?: readonly Condition[] };
    if (conditions.some(({ reason }) => reason === "ProgressDeadlineExceeded")) {
      deadlines.push({ workload: `Deployment/${metadata.name}`, at: Date.now() });
    }
  };
  watches.use(
    await watchCollection(cluster, paths.deployment(namespace), ({ object }) => {
      onDeployment(object);
    }),
  );

  const members = fleet();
  const world: World = { api, namespace, members };
  const nameOf = (by: "mutated" | "denied") =>
    members.find((member) => member.kind === "Deployment" && isInterferedBy(member, by))?.name ??
    "";
  await create(world);
  const targets = { user: ROLLCAST, mutated: nameOf("mutated"), denied: nameOf("denied") } as const;
  watches.use(await addPolicies(cluster, namespace, targets));
  await harness.start("watcher", { kubeconfig: await harness.kubeconfigFor("watcher") });
  const kubeconfig = await harness.kubeconfigFor(ROLLCAST);
  const start = () => harness.start("restarter", { kubeconfig });
  await Promise.all([start(), start()]);
  const readRollouts = async () => (await harness.events()).filter(isRollout);
  await waitRest(readRollouts);

  print(`${members.length} workloads at rest; ${changes} changes in ${minutes} minutes begin`);
  const stop = new AbortController();
  const writers = Promise.all([
    scale(world, stop.signal),
    applyAll(world, stop.signal),
    strip(world, stop.signal),
  ]);
  const planned = planChanges(changes, minutes * MINUTE_MS);
  try {
    await Promise.race([makeChanges(api, namespace, planned), writers]);
  } finally {
    stop.abort();
    await writers;
  }
  print("waiting until every rollout has ended");
  if (!(await waitRest(readRollouts))) print("some rollouts have not ended");

  const secret = await api.get<{ data: { key: string } }>(
    paths.secret(namespace, "rollcast-installation-key"),
  );
  const key = Buffer.from(secret.data.key, "base64");
  const { auditLog = "" } = cluster;
  if (keep !== undefined) {
    await copyFile(auditLog, join(keep, "audit.log"));
    await writeFile(join(keep, "logs.json"), JSON.stringify(harness.logs()));
  }
  const audit = await readAuditLog(auditLog, { namespace, rollcast: ROLLCAST, key });
  const workloads = new Map(members.map((member) => [member.name, keyOf(member)]));
  const { deletions, ...recorded } = audit;
  const evidence: Evidence = {
    ...recorded,
    subjects: members.map((member) => ({ workload: keyOf(member), sources: member.sources })),
    pods: pods.pods(workloads, deletions),
    events: await readRollouts(),
    deadlines,
  };
  return { evidence, members };
}
