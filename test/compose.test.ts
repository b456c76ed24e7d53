import { access, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { packageDir, repositoryRoot, serverBinary } from "@rollcast/testkit/binaries";
import { startCluster } from "@rollcast/testkit/cluster";
import { composed } from "@rollcast/testkit/compose";
import { assembleImage } from "@rollcast/testkit/image";
import { accepts, freePort } from "@rollcast/testkit/net";
import { startProcess } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";
import { describe, expect, test } from "vitest";
import { compose, inCheckout } from "./composition.ts";
import { STORY } from "./demo-story.ts";
import { temporaryDir } from "./temporary.ts";

const ROOT = repositoryRoot();
const COMPOSE = join(ROOT, "docker-compose.yml");
const ALWAYS = [
  "keys",
  "nats",
  "notifier",
  "preflight",
  "provision",
  "redis",
  "restarter",
  "rollcast",
  "watcher",
];
const DEMO = ["demo", "k3s", "kubeconfig"];
const PROFILES: readonly [profiles: string[], services: string[]][] = [
  [[], ALWAYS],
  [["demo"], [...ALWAYS, ...DEMO].toSorted()],
];
/** Whose keys a service is given, where it is not its own name's. */
const USERS: Readonly<Record<string, string>> = { demo: "subscriber", rollcast: "operator" };
const WITHOUT_KEYS = new Set(["k3s", "kubeconfig", "preflight"]);

describe.each(PROFILES)("with the profiles %j", (profiles, expected) => {
  test("the compose specification's own loader takes the file", async () => {
    const { services } = await composed([COMPOSE], { profiles });
    expect(Object.keys(services).toSorted()).toEqual(expected);
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
      if (typeof built === "string") await access(join(ROOT, packageDir(built), "src", "main.ts"));
      const words = [...(service.command ?? []), ...(service.healthcheck?.test ?? [])];
      for (const word of words) if (word.endsWith(".js")) await access(inCheckout(word));
    }
  });

  test("no container has more than it needs, but k3s, which starts containers of its own", async () => {
    const { services } = await composed([COMPOSE], { profiles });
    for (const [name, service] of Object.entries(services)) {
      expect(service.mem_limit, name).toBeDefined();
      expect(service.logging, name).toMatchObject({ options: { "max-size": "10m" } });
      if (name === "k3s") continue;
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
      });
      expect(service.privileged, name).toBeUndefined();
      expect(service.cap_add, name).toEqual(name === "keys" ? ["CHOWN"] : undefined);
      if (service.image.startsWith("rollcast-")) expect(service.pull_policy, name).toBe("never");
    }
  });

  test("each service sees its own keys and no other's", async () => {
    const { services } = await composed([COMPOSE], { profiles });
    const { keys: _, ...others } = services;
    for (const [name, { volumes = [] }] of Object.entries(others)) {
      const keys = volumes
        .map(({ source }) => source)
        .filter((source) => source.startsWith("keys-"));
      const has = WITHOUT_KEYS.has(name) ? [] : [`keys-${USERS[name] ?? name}`];
      expect(keys, name).toEqual(has);
    }
  });

  test.each(["watcher", "restarter", "preflight"])(
    "%s reads the user's kubeconfig, else the demo's",
    async (name) => {
      const kubeconfigOf = async (env: Record<string, string>) => {
        const { services } = await composed([COMPOSE], { profiles, env });
        const { environment = {}, volumes = [] } = services[name] ?? {};
        const file = environment.KUBECONFIG ?? "";
        return volumes.find(({ target }) => file.startsWith(target));
      };
      expect(await kubeconfigOf({})).toMatchObject({ type: "volume", source: "kubeconfig" });
      const source = "/home/me/.kube/config";
      expect(await kubeconfigOf({ ROLLCAST_KUBECONFIG: source })).toMatchObject({
        type: "bind",
        source,
        read_only: true,
      });
    },
  );

  test("folders are mounted, not files, and none is made on the host", async () => {
    const { services } = await composed([COMPOSE], { profiles });
    for (const [name, { volumes = [] }] of Object.entries(services)) {
      for (const { type, source, target, bind } of volumes) {
        if (type !== "bind") continue;
        expect(bind?.create_host_path ?? false, `${name}: ${target}`).toBe(false);
        // The kubeconfig's folder may hold those of other clusters.
        if (target.endsWith("/kube/config")) continue;
        expect((await stat(source)).isDirectory(), `${name}: ${source}`).toBe(true);
      }
    }
  });
});

test.each([
  ["a key that compose does not know", "image: nats:", "imagine: nats:", /services\.nats.*imagine/],
  [
    "a volume that nothing defines",
    "- redis:/data\n",
    "- radish:/data\n",
    /undefined volume radish/,
  ],
  ["a service that is not there", "{ keys: { cond", "{ kees: { cond", /undefined service "kees"/],
])("the loader refuses %s", async (_what, before, after, why) => {
  const text = await readFile(COMPOSE, "utf8");
  expect(text).toContain(before);
  await using made = await temporaryDir("compose");
  const file = join(made.dir, "docker-compose.yml");
  await writeFile(file, text.replace(before, after));
  await expect(composed([file])).rejects.toThrow(why);
});

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
      // The cluster is at an address of this machine here, which the preflight refuses.
      given: ["k3s", "preflight"],
      instead: new Map([
        ["nats:4222", local(port.nats)],
        ["0.0.0.0:4222", local(port.nats)],
        ["127.0.0.1:8222", local(port.monitor)],
        // Who runs the test need not be root.
        ["1000:1000=", `${process.getuid?.()}:${process.getgid?.()}=`],
        ["999:1000=", `${process.getuid?.()}:${process.getgid?.()}=`],
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
  const main = join(ROOT, "examples", "demo", "src", "main.ts");
  const env = { ROLLCAST_KUBECONFIG: "/home/me/.kube/config", ROLLCAST_CONFIG: "/nowhere" };
  await using demo = await startProcess(process.execPath, [main], { env });
  expect(await demo.exited).toBe(1);
  expect(demo.output()).toContain("ROLLCAST_KUBECONFIG is set");
});
