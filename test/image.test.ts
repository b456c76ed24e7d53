import { execFile } from "node:child_process";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { assembleImage, imageNodeOptions } from "@rollcast/testkit/image";
import { configMap, deployment, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { setKey, startStack, waitSettled } from "./stack.ts";
import { temporaryDir } from "./temporary.ts";

const run = promisify(execFile);
const SERVICES = ["watcher", "restarter", "notifier", "all-in-one", "provision"] as const;
type Name = (typeof SERVICES)[number];
const MIB = 1_048_576;
/** Of what lies on top of the base image. */
const LIMIT_MIB: Readonly<Record<Name, number>> = {
  watcher: 75,
  restarter: 75,
  notifier: 40,
  "all-in-one": 80,
  provision: 75,
};

const stack = new AsyncDisposableStack();
const trees = new Map<Name, string>();

beforeAll(async () => {
  const { dir } = stack.use(await temporaryDir("image"));
  for (const service of SERVICES) {
    const out = join(dir, service);
    await assembleImage(service, out);
    trees.set(service, out);
  }
});
afterAll(() => stack.disposeAsync());

function treeOf(service: Name): string {
  const tree = trees.get(service);
  if (tree === undefined) throw new Error(`no tree of ${service}`);
  return tree;
}

describe.each(SERVICES)("what the image of %s holds", (service) => {
  test("is its own code and what that needs to run, and is not large", async () => {
    const tree = treeOf(service);
    const entries = await readdir(tree, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const names = files.map((entry) => join(entry.parentPath, entry.name).slice(tree.length + 1));
    const own = names.filter((name) => !name.includes("node_modules"));
    // JavaScript alone, and no tests.
    expect(own.filter((name) => /\.ts$|\.test\.|\/test\//.test(name))).toEqual([]);
    const others = service === "all-in-one" ? ["notifier", "restarter", "watcher"] : [];
    expect(await readdir(join(tree, "services"))).toEqual([service, ...others]);
    for (const name of ["vitest", "typescript", "@rollcast+testkit"]) {
      expect(names.filter((path) => path.includes(`.pnpm/${name}@`))).toEqual([]);
    }
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(tree, name))).size));
    const total = sizes.reduce((sum, size) => sum + size, 0) / MIB;
    process.stdout.write(`${service}: ${total.toFixed(1)} MiB in ${names.length} files\n`);
    expect(total).toBeLessThan(LIMIT_MIB[service]);
  });
});

test("the services run from what their images hold, and write nothing to the file system", async () => {
  await using bed = await startStack({ secure: true, services: [] });
  const { api, namespace } = bed;
  // What a read-only root would refuse, Node refuses here.
  const nodeOptions = [...(await imageNodeOptions()), "--permission", "--allow-fs-read=*"];
  const step = await bed.start("provision", { root: treeOf("provision"), nodeOptions });
  expect(await step.exited).toBe(0);
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  for (const name of ["watcher", "restarter", "notifier"] as const) {
    await bed.start(name, { root: treeOf(name), nodeOptions });
  }
  await waitSettled(bed, "web");

  await setKey(bed, "cfg", "a", "1");
  await bed.waitEvent("succeeded", "web");
  await bed.waitEvent("sent", "hook");

  // As `docker stop` and the kubelet do.
  for (const service of bed.services.filter(({ name }) => name !== "provision")) {
    expect(await service.kill("SIGTERM"), service.name).toBe(0);
  }
  expect(bed.logs().filter(({ msg }) => /ERR_ACCESS_DENIED/.test(msg))).toEqual([]);
});

test("the health check says ready only of a service that is", async () => {
  const root = treeOf("watcher");
  const check = (port: string) =>
    run(process.execPath, [join(root, "libs", "shared", "src", "healthcheck.js")], {
      env: { ROLLCAST_HTTP_PORT: port },
    }).then(
      () => 0,
      (err: { code?: number }) => err.code,
    );
  await using bed = await startStack({ services: ["watcher"] });
  const port = new URL(bed.services[0]?.http() ?? "").port;
  expect(await check(port)).toBe(0);
  await bed.nats.kill();
  await expect.poll(() => check(port), { timeout: 20_000 }).toBe(1);
  expect(await check("1")).toBe(1);
});

test("the Dockerfile makes the tree as this test does, and runs what is in it", async () => {
  const text = await readFile(join(repositoryRoot(), "Dockerfile"), "utf8");
  expect(text).toContain('node tools/image-tree.mjs "${SERVICE');
  expect(text).toContain('ENTRYPOINT ["/nodejs/bin/node", ');
  expect(text).toContain('CMD ["main.mjs"]');
  expect(await readFile(join(treeOf("watcher"), "main.mjs"), "utf8")).toBe(
    'await import("./services/watcher/src/main.js");\n',
  );
});
