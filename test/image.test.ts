import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { assembleImage, imageNodeOptions } from "@rollcast/testkit/image";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyBuildContext } from "./build-context.ts";
import { setKey, startStack, waitSettled } from "./stack.ts";
import { temporaryDir } from "./temporary.ts";
import { filesOf, listTree } from "./tree-listing.ts";

const run = promisify(execFile);
const MIB = 1_048_576;
const REDIS = ["bullmq", "ioredis"];

/** How large an image may be on top of its base image, and what its program never loads. */
const IMAGES = {
  watcher: { limitMib: 50, without: [...REDIS, "commander"] },
  restarter: { limitMib: 65, without: ["liquidjs", "commander"] },
  notifier: { limitMib: 36, without: ["@kubernetes+client-node"] },
  "all-in-one": { limitMib: 68, without: [] },
  provision: { limitMib: 50, without: [...REDIS, "commander"] },
  demo: { limitMib: 50, without: [...REDIS, "commander"] },
  cli: { limitMib: 50, without: [...REDIS, "liquidjs"] },
};
type Name = keyof typeof IMAGES;
const NAMES = Object.keys(IMAGES) as Name[];
const PROGRAM = /^(?:(?:services|jobs|examples)\/)?([^/]+)\/src\/main\.js$/;

const stack = new AsyncDisposableStack();
const made = new Map<Name, Promise<string>>();
let dir: string;

beforeAll(async () => {
  ({ dir } = stack.use(await temporaryDir("image")));
  await copyBuildContext(join(dir, "context"));
});
afterAll(() => stack.disposeAsync());

/** The folder that holds what the image holds, made for the first test that needs it. */
function treeOf(name: Name): Promise<string> {
  const make = async () => {
    await assembleImage(name, join(dir, name));
    return join(dir, name);
  };
  const tree = made.get(name) ?? make();
  made.set(name, tree);
  return tree;
}

describe.each(NAMES)("what the image of %s holds", (name) => {
  test("is its own code and what that needs to run, and is not large", async () => {
    const { names, bytes } = filesOf(await treeOf(name));
    const own = names.filter((path) => !path.includes("node_modules"));
    // JavaScript alone, and no tests.
    expect(own.filter((path) => !/^LICENSE$|package\.json$|\.m?js$/.test(path))).toEqual([]);
    expect(own.filter((path) => /\.test\.|\/test\//.test(path))).toEqual([]);
    const programs = own.flatMap((path) => PROGRAM.exec(path)?.[1] ?? []);
    const others = name === "all-in-one" ? ["notifier", "restarter", "watcher"] : [];
    expect(programs.toSorted()).toEqual([name, ...others]);
    for (const absent of ["vitest", "typescript", "@rollcast+testkit", ...IMAGES[name].without]) {
      expect(names.filter((path) => path.includes(`.pnpm/${absent}@`))).toEqual([]);
    }
    const total = bytes / MIB;
    process.stdout.write(`${name}: ${total.toFixed(1)} MiB in ${names.length} files\n`);
    expect(total).toBeLessThan(IMAGES[name].limitMib);
  });

  test("is the same when it is made again: elsewhere, in its two parts, of what the build is sent", async () => {
    const root = join(dir, "context");
    const parts: string[] = [];
    // Nobody else's modes.
    const umask = process.umask(0o077);
    try {
      for (const part of ["packages", "sources"] as const) {
        const out = join(dir, "again", name, part);
        await assembleImage(name, out, { root, part });
        parts.push(...listTree(out));
      }
    } finally {
      process.umask(umask);
    }
    expect([...new Set(parts)].toSorted()).toEqual(listTree(await treeOf(name)));
  });
});

test("the build is sent sources and manifests, and no document, test or other tool", () => {
  const { names } = filesOf(join(dir, "context"));
  const sent =
    /^(LICENSE|package\.json|pnpm-\w+\.yaml|scripts\/image\/\w+\.mjs|(cli|(libs|services|jobs|examples)\/[^/]+)\/(package\.json|src\/.+\.ts))$/;
  expect(
    names.filter((name) => !sent.test(name) || /\.test\.|^libs\/testkit\//.test(name)),
  ).toEqual([]);
});

test("the command line runs from what its image holds, and is given its words", async () => {
  const main = join(await treeOf("cli"), "main.mjs");
  const rollcast = (...args: string[]) => run(process.execPath, [main, ...args]);
  const file = join(dir, "rollcast.yaml");
  await writeFile(file, "apiVersion: rollcast.dev/v1\nkind: Config\ncluster: prod\n");

  expect((await rollcast("--help")).stdout).toMatch(/^Usage: rollcast \[options\] \[command\]/);
  expect((await rollcast("config", "check", file)).stdout).toBe(
    `${file} is right: cluster prod, mode active\n`,
  );
  await expect(rollcast("config", "check", file, "--no-such")).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining("unknown option '--no-such'") as string,
  });
});

test("the services run from what their images hold, and write nothing to the file system", async () => {
  await using bed = await startStack({ secured: {}, services: [] });
  const { api, namespace } = bed;
  // What a read-only root would refuse, Node refuses here.
  const nodeOptions = [...(await imageNodeOptions()), "--permission", "--allow-fs-read=*"];
  const step = await bed.start("provision", { root: await treeOf("provision"), nodeOptions });
  expect(await step.exited).toBe(0);
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  for (const name of ["watcher", "restarter", "notifier"] as const) {
    await bed.start(name, { root: await treeOf(name), nodeOptions });
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
  const root = await treeOf("watcher");
  const check = (port: string) =>
    run(process.execPath, [join(root, "libs", "runtime", "src", "healthcheck", "main.js")], {
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
  expect(text).toMatch(
    / node scripts\/image\/tree\.mjs "\$\{SERVICE:\?.*\}" \/packages\/app packages$/m,
  );
  expect(text).toMatch(/ node scripts\/image\/tree\.mjs "\$SERVICE" \/sources\/app sources$/m);
  expect(text).toContain("COPY --from=build /packages /\nCOPY --from=build /sources /\n");
  const [, cli = "", service = ""] = text.split(/^FROM image AS .*$/m);
  expect(cli).toContain('ENTRYPOINT ["/nodejs/bin/node", "/app/main.mjs"]');
  expect(service).toContain('ENTRYPOINT ["/nodejs/bin/node", ');
  expect(service).toContain('CMD ["main.mjs"]');
  expect(await readFile(join(await treeOf("watcher"), "main.mjs"), "utf8")).toBe(
    'await import("./services/watcher/src/main.js");\n',
  );
});
