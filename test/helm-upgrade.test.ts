import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { readEvents } from "@rollcast/nats/history";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { checkOut, commitOf } from "@rollcast/testkit/checkout";
import { startCluster } from "@rollcast/testkit/cluster";
import { startScheduler } from "@rollcast/testkit/control-plane";
import { countPods } from "@rollcast/testkit/count-pods";
import { localSecurity } from "@rollcast/testkit/harness/base-config";
import { DEAD, startKwok } from "@rollcast/testkit/kwok";
import { NODE, addNode, nodeOf } from "@rollcast/testkit/node";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import { expect, onTestFailed, test } from "vitest";
import { bindVolumes } from "./apply.ts";
import { createFleet } from "./fleet.ts";
import type { Fleet, Member } from "./fleet.ts";
import { connectAsRestarter, readyPods, recordsAre, servicesAre } from "./installed.ts";
import type { Node } from "./kubelet.ts";
import { startProcessKubelet } from "./process-kubelet.ts";
import { helmRelease } from "./release.ts";
import {
  expectDelivered,
  expectWhole,
  outcomesOf,
  storiesOf,
  takeEvents,
  until,
} from "./rollout-outcomes.ts";
import { temporaryDir } from "./temporary.ts";

const NAMESPACE = "rollcast";
const APP = "app";
/** Of the nodes; kwok leaves this one alone, and its pods are processes. */
const MACHINE = "machine";

const several = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${name}-${i}`);

const KINDS = ["StatefulSet", "DaemonSet", "Job", "CronJob"] as const;
const ofEachKind = (name: string) => KINDS.map((kind) => `${name}-${kind.toLowerCase()}`);

/** Changed before the upgrade, during it, before the rollback, during it, and never. */
const SLOW_BEFORE = [...several("slow-before", 4), ...ofEachKind("slow-before")];
const QUEUED_BEFORE = [...several("queued-before", 8), ...ofEachKind("queued-before")];
const DURING_UPGRADE = several("during-upgrade", 6);
const SLOW_BETWEEN = [...several("slow-between", 4), ...ofEachKind("slow-between")];
const QUEUED_BETWEEN = [...several("queued-between", 6), ...ofEachKind("queued-between")];
const DURING_ROLLBACK = several("during-rollback", 6);
const UNTOUCHED = [...several("untouched", 4), ...ofEachKind("untouched")];
const DOOMED = "doomed";
/** Changed again while its rollout is in flight. */
const TWICE = "slow-before-0";

const QUICK = [
  ...QUEUED_BEFORE,
  ...DURING_UPGRADE,
  ...QUEUED_BETWEEN,
  ...DURING_ROLLBACK,
  ...UNTOUCHED,
  "last",
];

/** Deployments but for those that are named after another kind. */
function memberOf(name: string, pace: Member["pace"]): readonly [string, Member] {
  const kind = KINDS.find((other) => name.endsWith(`-${other.toLowerCase()}`)) ?? "Deployment";
  return [name, { kind, pace }];
}

const MEMBERS = Object.fromEntries([
  ...[...SLOW_BEFORE, ...SLOW_BETWEEN].map((name) => memberOf(name, "slow")),
  ...QUICK.map((name) => memberOf(name, "quick")),
  memberOf(DOOMED, "doomed"),
]);

const SERVICE = /-(watcher|restarter|notifier):/;
/** What a service logs of a record, an event or a job that it can't read, or may not do. */
const REFUSED = /unreadable|malformed|invalid job|Forbidden|Permissions Violation|NOPERM/i;

/** What those of the first installation log that are faster than the Job that makes the streams. */
const UNPROVISIONED = /not provisioned|\$JS\.API\.STREAM\.CREATE\./;

/** Several times what it takes on a quiet machine. */
const TIMEOUT_MS = 900_000;

/** As many as the slow ones and the doomed are, so that the others wait for them. */
const MAX_ROLLING = SLOW_BEFORE.length + 1;

function valuesFor(receiver: TestReceiver): string {
  return JSON.stringify({
    config: {
      queues: [{ name: "default", window: "300ms", maxRolling: MAX_ROLLING }],
      notifier: {
        route: { receiver: "hook", groupWait: "300ms", groupInterval: "300ms" },
        receivers: [
          {
            name: "hook",
            webhook: { url: `${receiver.url}/hook`, format: "cloudevents" },
            security: localSecurity(receiver),
          },
        ],
      },
    },
  });
}

const parent = await commitOf("HEAD^1").catch(() => undefined);
/** A clone of depth 1 has no commit before: the title says so. */
const BEFORE =
  parent === undefined ? "of HEAD itself, for this clone has no parent," : "of the commit before";

/** The cluster: kwok plays the pods of its node, and the scheduler gives the others to ours. */
async function openCluster(undo: AsyncDisposableStack) {
  const cluster = undo.use(await startCluster({ pods: false }));
  undo.use(await startScheduler(cluster.kubeconfig));
  undo.use(await startKwok(cluster.dir, cluster.kubeconfig, true));
  await addNode(cluster.api);
  const path = `/api/v1/nodes/${NODE.metadata.name}`;
  await cluster.api.patch(path, { spec: { unschedulable: true } });
  await addNode(cluster.api, nodeOf(MACHINE, { [DEAD]: "true" }));
  return cluster;
}

/** What must have become of each: one pod more for each content, and of a CronJob no other. */
function expectedOf(fleet: Fleet) {
  const entries = fleet.names.map((name) => {
    const changes = fleet.changes(name);
    const kind = fleet.kind(name);
    const isPatched = kind !== "Job" && kind !== "CronJob";
    const generation = isPatched ? 1 + changes : 1;
    const pods = kind === "CronJob" ? changes : 1 + changes;
    return [name, { generation, pods, changes, story: storyOf(name, changes) }] as const;
  });
  return Object.fromEntries(entries);
}

/** What is told of a workload that was changed so often. */
function storyOf(name: string, changes: number): string {
  if (name === DOOMED) return "planned, started, failed";
  if (name === TWICE) {
    return "planned, started, planned, superseded, started, succeeded";
  }
  return Array.from({ length: changes }, () => "planned, started, succeeded").join(", ");
}

test(
  `an installation ${BEFORE} is upgraded by helm upgrade and rolled back with rollouts in flight: nothing is lost, doubled or caused`,
  async () => {
    await using undo = new AsyncDisposableStack();
    const { dir } = undo.use(await temporaryDir("helm-upgrade"));
    const before = undo.use(await checkOut(parent ?? "HEAD"));
    const cluster = await openCluster(undo);
    const { api, url, caFile } = cluster;
    const receiver = undo.use(await startReceiver());
    const inbox = takeEvents(receiver);
    const node: Node = { api, url, caFile, namespace: NAMESPACE, dir, hosts: new Map() };
    const kubelet = undo.use(
      await startProcessKubelet(node, {
        nodeName: MACHINE,
        checkouts: { before: before.root, now: repositoryRoot() },
      }),
    );
    onTestFailed(() => void process.stderr.write(`${kubelet.report()}\n`));
    const values = join(dir, "values.json");
    await writeFile(values, valuesFor(receiver));
    const chart = join(before.root, "deploy", "charts", "rollcast");
    const older = helmRelease(cluster, NAMESPACE, { chart, values });
    const newer = helmRelease(cluster, NAMESPACE, { values });

    await older.install("image.tag=before");
    await bindVolumes(api, NAMESPACE);
    const pods = undo.use(await countPods(cluster, APP));
    const fleet = await createFleet(api, APP, MEMBERS);
    await servicesAre(node, "before");
    const nats = undo.use(await connectAsRestarter(node));
    const phases = (except: object = {}) => ({
      ...Object.fromEntries(fleet.names.map((name) => [name, "current"])),
      ...except,
    });
    await recordsAre(nats, fleet, phases());

    /** Changes two whenever the pod of another service is ready, the first two at once. */
    const changeDuring = async (tag: string, names: readonly string[]) => {
      for (const [i, name] of names.entries()) {
        await readyPods(node, tag, Math.floor(i / 2));
        await fleet.change([name]);
      }
    };
    // What there is to tell waits for whoever is there after the upgrade.
    inbox.setBusy(true);
    await fleet.change([...SLOW_BEFORE, DOOMED]);
    await until(nats, "started", [...SLOW_BEFORE, DOOMED]);
    await fleet.change(QUEUED_BEFORE);
    await until(nats, "planned", QUEUED_BEFORE);
    await newer.upgrade("image.tag=now");
    await fleet.change([TWICE]);
    await changeDuring("now", DURING_UPGRADE);
    await servicesAre(node, "now");
    inbox.setBusy(false);
    await until(nats, "superseded", [TWICE]);
    const inFlight = SLOW_BEFORE.filter((name) => name !== TWICE);
    for (const story of Object.values(await storiesOf(nats, inFlight))) {
      expect(story).toBe("planned, started");
    }
    await fleet.letReady(SLOW_BEFORE);

    inbox.setBusy(true);
    await fleet.change(SLOW_BETWEEN);
    await until(nats, "started", SLOW_BETWEEN);
    await fleet.change(QUEUED_BETWEEN);
    await until(nats, "planned", QUEUED_BETWEEN);
    await newer.rollback();
    await changeDuring("before", DURING_ROLLBACK);
    await servicesAre(node, "before");
    inbox.setBusy(false);
    for (const story of Object.values(await storiesOf(nats, SLOW_BETWEEN))) {
      expect(story).toBe("planned, started");
    }
    await fleet.letReady(SLOW_BETWEEN);
    // What follows from the rollback has been decided when a later change has been rolled.
    await fleet.change(["last"]);
    await until(nats, "succeeded", ["last"]);
    await recordsAre(nats, fleet, phases({ [DOOMED]: "failed" }));

    expect(await outcomesOf(nats, fleet, pods)).toEqual(expectedOf(fleet));
    expectWhole(await readEvents(nats));
    await expectDelivered(nats, inbox);
    const services = kubelet.ended.filter(({ image }) => SERVICE.test(image));
    const ends = services.map(({ image, code, isDeleted }) => ({ image, code, isDeleted }));
    expect(ends).toEqual(services.map(({ image }) => ({ image, code: 0, isDeleted: true })));
    expect(ends).toHaveLength(6);
    const refused = services.flatMap(({ image, lines }) =>
      lines.filter(
        (line) => REFUSED.test(line) && !(image.endsWith(":before") && UNPROVISIONED.test(line)),
      ),
    );
    expect(refused).toEqual([]);
  },
  TIMEOUT_MS,
);
