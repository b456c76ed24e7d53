import { chown, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { createNamespace } from "@rollcast/testkit/objects";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { copyToken, waitCurrent } from "./api.ts";
import { bridgeAddress, startBridgedCluster } from "./bridge.ts";
import type { BridgedCluster } from "./bridge.ts";
import { edit } from "./checkout.ts";
import { lookInside } from "./inside.ts";
import { openProject } from "./project.ts";
import type { Inspected, Project } from "./project.ts";
import { change, each, makeWorkloads, rollsOf, toldOf } from "./workloads.ts";

const SERVICES = ["watcher", "restarter", "notifier"] as const;
const SERVERS = ["nats", "redis"] as const;
const RUNNING = [...SERVERS, ...SERVICES];
const ENDED = ["keys", "preflight", "provision"];
const COUNT = 100;
const TOLD_MS = 180_000;
const isRoot = process.getuid?.() === 0;
/**
 * Who owns the kubeconfig, at its usual mode 0600: where it can be somebody who is neither root nor
 * the images' user, it is.
 */
const OWNER = isRoot ? [12_345, 23_456] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0];

const stack = new AsyncDisposableStack();
let cluster: BridgedCluster;
let receiver: TestReceiver;
let project: Project;
let namespace: string;
let token: string;
/** How often each workload has been changed so far. */
let rounds = 0;
/** How often each had been rolled when that was looked at last. */
let expected: readonly number[] = [];

beforeAll(async () => {
  cluster = stack.use(await startBridgedCluster());
  receiver = stack.use(await startReceiver({}, await bridgeAddress()));
  namespace = stack.use(await createNamespace(cluster.api)).name;
  if (isRoot) await chown(cluster.flattened, OWNER[0] ?? 0, OWNER[1] ?? 0);
  project = stack.use(
    await openProject({ ROLLCAST_KUBECONFIG: cluster.flattened, ROLLCAST_USER: OWNER.join(":") }),
  );
});
afterAll(() => stack.disposeAsync());

async function containers(): Promise<ReadonlyMap<string, Inspected>> {
  const inspected = await project.inspect();
  for (const name of RUNNING) if (!inspected.has(name)) throw new Error(`${name} has no container`);
  return inspected;
}

/** Changes every workload once more, `everyMs` apart. */
async function changeAll(everyMs = 0, indexes = Array.from({ length: COUNT }, (_, i) => i)) {
  rounds++;
  for (const index of indexes) {
    await change(cluster.api, namespace, index, String(rounds));
    if (everyMs > 0) await sleep(everyMs);
  }
}

/** Every workload was rolled so often, and the receiver was told of each success once. */
async function expectRolledAndTold(times: readonly number[]): Promise<void> {
  expected = times;
  await waitCurrent(project, token, namespace, COUNT);
  const isTold = () => toldOf(receiver, namespace, COUNT).every((n, i) => n >= (times[i] ?? 0));
  await waitFor(isTold, { timeout: TOLD_MS, every: 500 }).catch(() => undefined);
  expect(toldOf(receiver, namespace, COUNT), "told").toEqual(times);
  expect(await rollsOf(cluster.api, namespace, COUNT), "rolled").toEqual(times);
}

/**
 * Ends a container as a crash does. The engine starts it again; where a test may not kill its
 * process, the engine is asked to do both.
 */
async function crash(service: string): Promise<void> {
  const container = (await containers()).get(service);
  if (container === undefined) throw new Error(`no container of ${service}`);
  const { Pid, StartedAt } = container.State;
  const kill = () => {
    try {
      return isRoot && Pid > 0 && process.kill(Pid, "SIGKILL");
    } catch {
      return false;
    }
  };
  if (!kill()) await project.sh(`docker kill ${container.Id} && docker start ${container.Id}`);
  const isBack = async () => {
    const state = (await containers()).get(service)?.State;
    return state?.Status === "running" && state.StartedAt !== StartedAt;
  };
  await waitFor(isBack, { message: `${service} to be started again`, timeout: 60_000, every: 200 });
}

describe("docker compose, for a cluster that a kubeconfig names", () => {
  test("brings everything up healthy, and says so", async () => {
    const up = await project.sh("docker compose up --build --detach --wait");
    expect(up.code, up.output).toBe(0);
    const byName = await containers();
    for (const name of RUNNING)
      expect(byName.get(name)?.State.Health?.Status, name).toBe("healthy");
    for (const name of ENDED) expect(byName.get(name)?.State.ExitCode, name).toBe(0);
    token = await copyToken(project);
  });

  test("no container runs with more than it needs, as each finds itself", async () => {
    const byName = await containers();
    for (const [name, { HostConfig, Config }] of byName) {
      expect(HostConfig.ReadonlyRootfs, name).toBe(true);
      expect(HostConfig.CapDrop, name).toEqual(["ALL"]);
      expect(HostConfig.SecurityOpt, name).toEqual(["no-new-privileges:true"]);
      expect(HostConfig.Memory, name).toBeGreaterThan(0);
      expect(HostConfig.LogConfig.Config, name).toEqual({ "max-file": "3", "max-size": "10m" });
      if (name !== "keys") expect(Config.User, name).not.toMatch(/^(0|root)?(:|$)/);
    }
    const keys: Record<(typeof SERVICES)[number], string[]> = {
      watcher: ["installation-key", "nats.nk"],
      restarter: ["api-token", "nats.nk", "redis"],
      notifier: ["api-token", "nats.nk", "redis"],
    };
    for (const name of SERVICES) {
      const { writes, monitoring, ...inside } = await lookInside(project, name);
      expect(inside, name).toEqual({
        uid: OWNER[0],
        gid: OWNER[1],
        capabilities: "0000000000000000",
        noNewPrivileges: true,
        identity: keys[name],
      });
      for (const [place, why] of Object.entries(writes))
        expect(why, place).toMatch(/^(EROFS|EACCES)$/);
      expect(monitoring, `${name} asks NATS' monitoring`).toMatch(/^refused/);
    }
    for (const [name, { Mounts }] of byName) {
      if (name === "keys") continue;
      const keys = Mounts.map(({ Name = "" }) => /_keys-(.+)$/.exec(Name)?.[1] ?? "");
      expect(
        keys.filter((user) => user !== ""),
        name,
      ).toEqual(name === "preflight" ? [] : [name]);
      const reads = Mounts.some(({ Destination }) => Destination.includes("/kube"));
      expect(reads, `${name} sees a kubeconfig`).toBe(
        ["watcher", "restarter", "preflight"].includes(name),
      );
    }
    const foreign = `fetch("http://restarter:8081/v1/status", { headers: { authorization: "Bearer " + require("node:fs").readFileSync("/etc/rollcast/identity/api-token", "utf8").trim() } }).then(({ status }) => process.stdout.write(String(status)))`;
    expect(await project.evaluate("restarter", foreign), "its own token").toBe("200");
    expect(await project.evaluate("notifier", foreign), "the notifier's token").toBe("401");

    const ids = { nats: ["1000", "1000"], redis: ["999", "1000"] };
    for (const name of SERVERS) {
      const script =
        "id -u; id -g; grep CapEff /proc/1/status; touch /written 2>&1; ls /keys; touch /data/written && rm /data/written && echo stored";
      const { output } = await project.sh(`docker compose exec -T ${name} sh -c '${script}'`);
      const lines = output.trim().split("\n");
      expect(lines.slice(0, 2), name).toEqual(ids[name]);
      expect(lines[2], name).toMatch(/^CapEff:\s0{16}$/);
      expect(lines[3], name).toMatch(/Read-only file system/);
      expect(lines.slice(4), name).toEqual([
        ...(name === "nats" ? ["nats-keys.conf"] : ["notifier.sha256", "restarter.sha256"]),
        "stored",
      ]);
    }
  });

  test("a receiver that an editor puts into the configuration, by a rename, is told", async () => {
    await makeWorkloads(cluster.api, namespace, COUNT);
    await waitCurrent(project, token, namespace, COUNT);
    expect(await rollsOf(cluster.api, namespace, COUNT)).toEqual(each(COUNT, 0));

    const file = join(project.dir, "deploy", "compose", "config", "rollcast.yaml");
    const config = parse(await readFile(file, "utf8")) as {
      notifier: { receivers: unknown[]; route: { routes: unknown[] } };
    };
    const { port, url } = receiver;
    config.notifier.receivers.push({
      name: "hook",
      webhook: { url: `${url}/hook`, format: "cloudevents" },
      security: {
        allowHttp: true,
        allowedPorts: [port],
        allowCidrs: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
      },
    });
    config.notifier.route.routes.push({
      match: [`namespace == "${namespace}"`, 'outcome=~"succeeded|failed|stalled"'],
      receiver: "hook",
      groupWait: "1s",
      groupInterval: "1s",
    });
    await writeFile(`${file}~`, stringify(config));
    await rename(`${file}~`, file);
    const isTaken = async () => (await project.logs("notifier")).includes('"added":["hook"]');
    await waitFor(isTaken, {
      message: "the notifier to take the file",
      every: 500,
      timeout: 60_000,
    }).catch(async (err: unknown) => {
      throw new Error(await project.logs("notifier"), { cause: err });
    });

    await changeAll();
    await expectRolledAndTold(each(COUNT, 1));
  });

  test("each container killed in the middle of 100 changes: every change rolls once and is told once", async () => {
    const changing = changeAll(400);
    for (const name of ["restarter", "nats", "watcher", "redis", "notifier"]) {
      await sleep(2_000);
      await crash(name);
    }
    await changing;
    await expectRolledAndTold(each(COUNT, 2));
    for (const name of RUNNING) await project.waitHealthy(name);
    const byName = await containers();
    expect(RUNNING.filter((name) => byName.get(name)?.State.OOMKilled)).toEqual([]);
  });

  test("what changes between down and up is rolled once, and nothing else", async () => {
    await project.compose("down");
    await changeAll(0, [0, 1, 2, 3, 4]);
    const up = await project.sh("docker compose up --detach --wait");
    expect(up.code, up.output).toBe(0);
    await expectRolledAndTold(each(COUNT, 2).fill(3, 0, 5));
  });

  test("a Redis whose volume is deleted in the middle of changes loses and doubles nothing", async () => {
    const changing = changeAll(100, [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    await project.compose("rm", "--stop", "--force", "redis");
    const removed = await project.sh(
      'docker compose rm --stop --force keys && docker volume rm "$COMPOSE_PROJECT_NAME"_redis',
    );
    expect(removed.code, removed.output).toBe(0);
    await changing;
    const up = await project.sh("docker compose up --detach --wait");
    expect(up.code, up.output).toBe(0);
    await expectRolledAndTold(each(COUNT, 2).fill(3, 0, 15));
  });

  test("a service that hangs is ended and started again, as the chart's liveness probe would have it", async () => {
    const byName = await containers();
    const [before, watcher] = [byName.get("restarter"), byName.get("watcher")];
    await project.evaluate(
      "restarter",
      `const fs = require("node:fs");
       for (const pid of fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).map(Number)) {
         const stat = fs.readFileSync("/proc/" + pid + "/stat", "utf8");
         if (stat.slice(stat.lastIndexOf(")")).split(" ")[2] === "1" && pid !== process.pid) process.kill(pid, "SIGSTOP");
       }`,
    );
    const isRestarted = async () =>
      ((await containers()).get("restarter")?.RestartCount ?? 0) > (before?.RestartCount ?? 0);
    await waitFor(isRestarted, {
      message: "the engine to start it again",
      timeout: 240_000,
      every: 2_000,
    });
    await project.waitHealthy("restarter");
    expect((await containers()).get("watcher")?.RestartCount).toBe(watcher?.RestartCount);
  });

  test("a health check says what /readyz says", async () => {
    await project.compose("stop", "redis");
    const failedCheck = async () => {
      const log = (await containers()).get("restarter")?.State.Health?.Log ?? [];
      return log.find(({ ExitCode, Output }) => ExitCode !== 0 && /redis: /.test(Output));
    };
    const message = "the health check to name redis";
    const { ExitCode } = await waitFor(failedCheck, { message, timeout: 60_000, every: 1_000 });
    expect(ExitCode).toBe(1);
    await project.compose("start", "redis");
    await project.waitHealthy("restarter");
  });

  test("the command line works as it ships", async () => {
    const rollcast = async (args: string) => {
      const ended = await project.sh(`docker compose run --rm --no-TTY rollcast ${args}`);
      expect(ended.code, `rollcast ${args}: ${ended.output}`).toBe(0);
      return ended.stdout;
    };
    expect(await rollcast("status")).toMatch(/100 of 100 workloads may roll: .*100 current/);
    expect(await rollcast(`explain deploy/web-0 -n ${namespace}`)).toMatch(/configmap\/web-0/);
    expect(await rollcast("queues list")).toMatch(/default/);
    expect(JSON.parse(await rollcast("dead-letters list -o json"))).toEqual([]);
    const lines = (
      await rollcast("events tail --since 1h --no-follow --filter 'rollout.succeeded.>' -o json")
    )
      .trim()
      .split("\n");
    expect(lines.length).toBeGreaterThanOrEqual(COUNT);
    const doctor = await rollcast("doctor -o json");
    const findings = JSON.parse(doctor) as { about: string; ok: boolean; what: string }[];
    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(findings.filter(({ what }) => /not looked at/.test(what))).toEqual([]);
    expect(new Set(findings.map(({ about }) => about))).toEqual(
      new Set([
        "cluster",
        "events",
        "nats",
        "redis",
        "reloader",
        "restarter",
        "rights",
        "watches",
        "workloads",
      ]),
    );
  });

  test("a changed README restarts nothing, a changed source file its own service alone", async () => {
    const startedAt = async () => {
      const byName = await containers();
      return Object.fromEntries(
        RUNNING.map((name) => [
          name,
          `${byName.get(name)?.Image} ${byName.get(name)?.State.StartedAt}`,
        ]),
      );
    };
    const up = async () => {
      const ended = await project.sh("docker compose up --build --detach --wait");
      expect(ended.code, ended.output).toBe(0);
    };
    const before = await startedAt();
    await writeFile(join(project.dir, "README.md"), "changed\n");
    await up();
    expect(await startedAt()).toEqual(before);

    await edit(
      project.dir,
      "services/watcher/src/watcher.ts",
      "import ",
      "// A changed source file.\nimport ",
    );
    await changeAll(0, [15, 16, 17]);
    await up();
    const { watcher, ...others } = await startedAt();
    const { watcher: old, ...same } = before;
    expect(watcher).not.toBe(old);
    expect(others).toEqual(same);
    await expectRolledAndTold(each(COUNT, 2).fill(3, 0, 18));
  });

  test("everything stops in time, with exit code 0; nothing was told twice meanwhile", async () => {
    expect(toldOf(receiver, namespace, COUNT), "told").toEqual(expected);
    await project.compose("stop");
    const byName = await containers();
    for (const name of SERVICES) expect(byName.get(name)?.State.ExitCode, name).toBe(0);
  });
});
