import { execFile } from "node:child_process";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot, serverBinary } from "@rollcast/testkit/binaries";
import { startCluster } from "@rollcast/testkit/cluster";
import { composed } from "@rollcast/testkit/compose";
import { assembleImage } from "@rollcast/testkit/image";
import { accepts, freePort } from "@rollcast/testkit/net";
import { startProcess } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";
import { describe, expect, test } from "vitest";
import { compose, inCheckout } from "./composition.ts";
import { temporaryDir } from "./temporary.ts";

const run = promisify(execFile);
const ROOT = repositoryRoot();
const COMPOSE = join(ROOT, "docker-compose.yml");
const ALWAYS = ["keys", "nats", "notifier", "provision", "redis", "restarter", "watcher"];
const DEMO = ["demo", "k3s", "kubeconfig"];
const PROFILES: readonly [profiles: string[], services: string[]][] = [
  [[], ALWAYS],
  [["demo"], [...ALWAYS, ...DEMO].toSorted()],
];

describe.each(PROFILES)("with the profiles %j", (profiles, expected) => {
  test("the compose specification's own loader takes the file", async () => {
    const { services } = await composed([COMPOSE], { profiles });
    expect(Object.keys(services).toSorted()).toEqual(expected);
  });

  test("docker compose takes the file, where there is a plugin that can say so", async (context) => {
    const version = await run("docker", ["compose", "version"]).catch(() => undefined);
    context.skip(version === undefined, "no docker compose here");
    const chosen = profiles.flatMap((name) => ["--profile", name]);
    const args = ["compose", "--file", COMPOSE, ...chosen, "config", "--quiet"];
    expect((await run("docker", args)).stdout).toBe("");
  });

  test("whatever a service mounts, runs, waits for or is built of is there", async () => {
    const env = { ROLLCAST_KUBECONFIG: "./README.md" };
    const { services } = await composed([COMPOSE], { profiles, env });
    for (const [name, service] of Object.entries(services)) {
      for (const { type, source } of service.volumes ?? []) {
        if (type === "bind") await access(source);
      }
      for (const [other, { condition, required }] of Object.entries(service.depends_on ?? {})) {
        if (condition !== "service_healthy" || !required) continue;
        expect(services[other]?.healthcheck, `${name} waits for ${other}`).toBeDefined();
      }
      const built = service.build?.args?.SERVICE;
      if (typeof built === "string") await access(join(ROOT, "services", built, "src", "main.ts"));
      const words = [...(service.command ?? []), ...(service.healthcheck?.test ?? [])];
      for (const word of words) if (word.endsWith(".js")) await access(inCheckout(word));
    }
  });

  test("each service sees its own keys and no other's", async () => {
    const { services } = await composed([COMPOSE], { profiles });
    const { keys: _, ...others } = services;
    for (const [name, { volumes = [] }] of Object.entries(others)) {
      const keys = volumes.map(({ source }) => source).filter((one) => one.startsWith("keys-"));
      const user = name === "demo" ? "subscriber" : name;
      const has = ["k3s", "kubeconfig"].includes(name) ? [] : [`keys-${user}`];
      expect(keys, name).toEqual(has);
    }
  });

  test.each(["watcher", "restarter"])(
    "%s takes the user's kubeconfig, else the demo's",
    async (name) => {
      const mounts = async (env: Record<string, string>) => {
        const { services } = await composed([COMPOSE], { profiles, env });
        const { environment = {}, volumes = [] } = services[name] ?? {};
        expect(environment.KUBECONFIG).toBe("/etc/rollcast/kube/config");
        return volumes
          .filter(({ target }) => target.startsWith("/etc/rollcast/kube"))
          .map(({ source, target }) => ({ source, target }));
      };
      const target = "/etc/rollcast/kube";
      expect(await mounts({})).toEqual([{ source: "kubeconfig", target }]);
      const source = "/home/me/.kube/config";
      expect(await mounts({ ROLLCAST_KUBECONFIG: source })).toEqual([
        { source, target: `${target}/config` },
      ]);
    },
  );
});

test.each([
  ["a key that compose does not know", "image: nats:", "imagine: nats:", /services\.nats.*imagine/],
  ["a volume that nothing defines", "- redis:/data", "- radish:/data", /undefined volume radish/],
  ["a service that is not there", "{ keys: { cond", "{ kees: { cond", /undefined service "kees"/],
])("the loader refuses %s", async (_what, before, after, why) => {
  const text = await readFile(COMPOSE, "utf8");
  expect(text).toContain(before);
  await using made = await temporaryDir("compose");
  const file = join(made.dir, "docker-compose.yml");
  await writeFile(file, text.replace(before, after));
  await expect(composed([file])).rejects.toThrow(why);
});

/** What the demo tells, in any order that the story allows. */
const STORY = [
  /somebody sets LOG_LEVEL=debug in ConfigMap demo\/web-config/,
  /ConfigMap demo\/web-config changed: LOG_LEVEL/,
  /demo\/web rolled/,
  /demo\/api rolled/,
  /demo\/web healthy/,
  /demo\/api healthy/,
  /delivered to webhook \(signature verified\): "Rolled out/,
  /it stays up/,
];

test("every service but k3s runs as the file says, and the demo sees its signed webhook", async () => {
  await using undo = new AsyncDisposableStack();
  const { dir } = undo.use(await temporaryDir("compose"));
  const cluster = undo.use(await startCluster());
  const tree = join(dir, "image");
  await assembleImage("demo", tree);
  const port = {
    nats: await freePort(),
    monitor: await freePort(),
    redis: await freePort(),
    demo: await freePort(),
  };
  const local = (at: number) => `127.0.0.1:${at}`;
  const http = async () => ({ env: { ROLLCAST_HTTP_PORT: String(await freePort()) } });
  const PATH = [dirname(serverBinary("nats-server")), process.env.PATH].join(delimiter);
  const composition = undo.use(
    compose({
      composed: await composed([COMPOSE], { profiles: ["demo"] }),
      dir,
      given: ["k3s"],
      instead: new Map([
        ["nats:4222", local(port.nats)],
        ["0.0.0.0:4222", local(port.nats)],
        ["0.0.0.0:8222", local(port.monitor)],
        ["redis:6379", local(port.redis)],
        ["demo:8080", local(port.demo)],
        ["allowedPorts: [8080]", `allowedPorts: [${port.demo}]`],
        ["10.0.0.0/8", "127.0.0.0/8"],
      ]),
      own: {
        nats: { env: { PATH, TMPDIR: dir }, isHealthy: () => accepts(port.nats) },
        redis: { args: ["--port", String(port.redis)], isHealthy: () => accepts(port.redis) },
        watcher: await http(),
        restarter: await http(),
        notifier: await http(),
        demo: { tree, env: { ROLLCAST_HTTP_PORT: String(port.demo) } },
      },
    }),
  );
  const volume = join(dir, "kubeconfig");
  await mkdir(volume);
  const { port: apiPort } = new URL(cluster.url);
  const admin = await readFile(cluster.kubeconfig, "utf8");
  expect(admin).toContain(`https://127.0.0.1:${apiPort}`);
  await writeFile(join(volume, "admin"), admin);
  const { running: rewriting } = await composition.up("kubeconfig");
  expect(await rewriting.exited, rewriting.output()).toBe(0);
  const rewritten = await readFile(join(volume, "config"), "utf8");
  expect(rewritten).toContain(`https://k3s:${apiPort}`);
  await writeFile(join(volume, "config"), rewritten.replace("https://k3s:", "https://127.0.0.1:"));

  const { running, lines } = await composition.up("demo");
  const isOver = () => running.hasExited() || lines.some((line) => line.includes("it stays up"));
  await waitFor(isOver, { timeout: 90_000 }).catch(() => undefined);
  for (const part of STORY) expect(lines.join("\n")).toMatch(part);
  expect(await running.kill()).toBe(0);
});

test("the demo leaves a cluster alone that is the user's", async () => {
  const main = join(ROOT, "services", "demo", "src", "main.ts");
  const env = { ROLLCAST_KUBECONFIG: "/home/me/.kube/config", ROLLCAST_CONFIG: "/nowhere" };
  await using demo = await startProcess(process.execPath, [main], { env });
  expect(await demo.exited).toBe(1);
  expect(demo.output()).toContain("ROLLCAST_KUBECONFIG is set");
});

const ENGINE_MS = 20 * 60_000;

test(
  "docker compose brings up the demo, and a webhook is delivered, where a Docker engine runs",
  { timeout: ENGINE_MS },
  async (context) => {
    const asked = ["compose version", "info"].map((args) => run("docker", args.split(" ")));
    const faults = (await Promise.allSettled(asked)).filter(({ status }) => status === "rejected");
    context.skip(faults.length > 0, "no Docker engine with docker compose here");
    await using undo = new AsyncDisposableStack();
    const { dir } = undo.use(await temporaryDir("compose"));
    // Other servers may have the ports.
    const override = join(dir, "override.yml");
    const noPorts = "{ ports: !reset [] }";
    await writeFile(override, `services: { nats: ${noPorts}, redis: ${noPorts} }`);
    const files = ["--file", COMPOSE, "--file", override];
    const env = { ...process.env, ROLLCAST_KUBECONFIG: "" };
    const docker = (...args: string[]) =>
      run(
        "docker",
        ["compose", ...files, "--project-name", "rollcast-test", "--profile", "demo", ...args],
        {
          env,
          maxBuffer: 64 << 20,
        },
      );
    undo.defer(async () => {
      await docker("down", "--volumes", "--timeout", "5");
    });
    await docker("up", "--build", "--detach");
    const told = async () => (await docker("logs", "--no-log-prefix", "demo")).stdout;
    const isOver = async () => /it stays up|stopped by an error/.test(await told());
    await waitFor(isOver, { timeout: 300_000, every: 1_000 }).catch(() => undefined);
    for (const part of STORY) expect(await told()).toMatch(part);
  },
);
