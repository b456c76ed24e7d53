import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { loadConfig } from "@rollcast/shared/config/load";
import { createLogger } from "@rollcast/shared/logger";
import { connectNats } from "@rollcast/shared/nats/connect";
import { openQueue } from "@rollcast/shared/queue";
import { repositoryRoot, serverBinary } from "@rollcast/testkit/binaries";
import { accepts, freePort } from "@rollcast/testkit/net";
import { startProcess } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { temporaryDir } from "./temporary.ts";

const run = promisify(execFile);
const ROOT = repositoryRoot();
const COMPOSE = join(ROOT, "docker-compose.yml");
const CONFIG = join(ROOT, "deploy", "rollcast.compose.yaml");
const silent = createLogger("test", "silent");

type Service = {
  image: string;
  build?: { args: { SERVICE: string } };
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
};
type Compose = { services: Record<string, Service>; volumes: Record<string, object> };

async function compose(): Promise<Compose> {
  return parse(await readFile(COMPOSE, "utf8"), { merge: true }) as Compose;
}

test("docker compose takes the file, where there is a plugin that can say so", async (context) => {
  const version = await run("docker", ["compose", "version"]).catch(() => undefined);
  context.skip(version === undefined, "no docker compose here");
  const { stdout } = await run("docker", ["compose", "--file", COMPOSE, "config", "--quiet"]);
  expect(stdout).toBe("");
});

test("whatever a service mounts, waits for or is built of is there", async () => {
  const { services, volumes } = await compose();
  for (const [name, service] of Object.entries(services)) {
    for (const mount of service.volumes ?? []) {
      const [source = ""] = mount.replace(/\$\{[^}]*\}/, "./README.md").split(":");
      if (source.startsWith("./")) await readFile(join(ROOT, source));
      else expect(Object.keys(volumes), `${name} mounts ${source}`).toContain(source);
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(Object.keys(services), `${name} depends on ${other}`).toContain(other);
      if (condition === "service_healthy") expect(services[other]?.healthcheck).toBeDefined();
    }
    const built = service.build?.args.SERVICE;
    if (built !== undefined) await readFile(join(ROOT, "services", built, "src", "main.ts"));
    const script = [...(service.command ?? []), ...(service.healthcheck?.test ?? [])].find((word) =>
      word.endsWith(".ts"),
    );
    if (script !== undefined) await readFile(join(ROOT, script));
  }
});

test("each service sees its own keys and no other's", async () => {
  const { services } = await compose();
  for (const [name, { volumes = [] }] of Object.entries(services)) {
    if (name === "keys") continue;
    const keys = volumes.map((one) => one.split(":")[0]).filter((one) => one?.startsWith("keys-"));
    expect(keys, name).toEqual([`keys-${name}`]);
  }
});

test("NATS and Redis start by the scripts of the file, and the services' keys open them", async () => {
  await using undo = new AsyncDisposableStack();
  const { dir } = undo.use(await temporaryDir("compose"));
  const keys = join(ROOT, "services", "provision", "src", "keys.ts");
  for (const made of [true, false]) {
    // The second time they are left alone.
    const { stdout } = await run(process.execPath, [keys, "--dir", dir, "--shared"]);
    expect(JSON.parse(stdout)).toMatchObject({ made });
  }
  const files = join(ROOT, "deploy", "charts", "rollcast", "files");
  const ports = { nats: await freePort(), redis: await freePort() };
  const PATH = [dirname(serverBinary("nats-server")), process.env.PATH].join(delimiter);
  const start = async (name: "nats" | "redis", env: Record<string, string>, args: string[]) => {
    const script = join(ROOT, "deploy", name, "start.sh");
    const common = { PATH, CLUSTER: "local", KEYS: join(dir, name) };
    const options = { env: { ...common, TMPDIR: dir, ...env }, cwd: dir };
    const running = undo.use(await startProcess("/bin/sh", [script, ...args], options));
    await waitFor(
      () => {
        if (running.hasExited()) throw new Error(`${name} ended: ${running.output()}`);
        return accepts(ports[name]);
      },
      { message: name },
    );
  };
  const conf = join(ROOT, "deploy", "nats", "nats.conf");
  const here = `--addr 127.0.0.1 --port ${ports.nats} --http_port ${await freePort()}`;
  const args = [...here.split(" "), "--store_dir", join(dir, "js")];
  await start("nats", { CONF: conf, USERS: join(files, "nats-users.conf") }, args);
  await start("redis", { USERS: join(files, "redis-users.txt") }, ["--port", String(ports.redis)]);

  const config = loadConfig({ ROLLCAST_CONFIG: CONFIG });
  expect(config.cluster).toBe("local");
  const nkey = { file: join(dir, "watcher", "nats.nk") };
  const url = `nats://127.0.0.1:${ports.nats}`;
  await using nats = await connectNats({ url, name: "watcher", logger: silent, nkey });
  expect(nats.fault()).toBeUndefined();
  await using queue = await openQueue<number>({
    url: `redis://restarter@127.0.0.1:${ports.redis}`,
    password: { file: join(dir, "restarter", "redis") },
    cluster: config.cluster,
    name: "rollout-default",
    logger: silent,
  });
  expect(await queue.counts()).toMatchObject({ waiting: 0 });
});
