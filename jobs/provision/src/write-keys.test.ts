import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { publicKeyOf } from "@rollcast/nats/nkey";
import { startProcess } from "@rollcast/testkit/process";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Shape } from "./key-places.ts";
import { writeKeys } from "./write-keys.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rollcast-keys-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let count = 0;
const emptyDir = () => join(root, `keys-${++count}`);
const write = (dir: string, shape?: Shape) => writeKeys({ dir, shape, mode: 0o400 });

/** Path -> content of every file below a folder. */
function contents(dir: string): Map<string, string> {
  const paths = readdirSync(dir, { recursive: true, encoding: "utf8" }).toSorted();
  const files = paths.filter((path) => statSync(join(dir, path)).isFile());
  return new Map(files.map((path) => [path, readFileSync(join(dir, path), "utf8")]));
}

/** Fails if a server would not admit the user with the matching seed or password. */
function expectWhole(dir: string): void {
  const files = contents(dir);
  const paths = [...files.keys()];
  const seeds = paths.filter((path) => path.endsWith("/nats.nk"));
  const confs = paths.filter((path) => path.startsWith("nats/"));
  for (const path of confs) {
    for (const line of (files.get(path) ?? "").trim().split("\n")) {
      const [, variable = "", key] = /^ROLLCAST_NKEY_(\w+): (U\w{55})$/.exec(line) ?? [];
      const user = variable.toLowerCase().replaceAll("_", "-");
      expect(key, `${path} ${user}`).toBe(publicKeyOf(files.get(`${user}/nats.nk`) ?? ""));
    }
  }
  const published = confs.map((path) => files.get(path)).join("");
  for (const path of seeds) expect(published).toContain(publicKeyOf(files.get(path) ?? ""));
  for (const path of paths.filter((path) => path.endsWith("/redis"))) {
    const hash = createHash("sha256")
      .update(files.get(path) ?? "")
      .digest("hex");
    expect(files.get(`redis/${dirname(path)}.sha256`), path).toBe(hash);
  }
  const tokens = paths.filter((path) => path.endsWith("api-token"));
  for (const path of tokens) expect(files.get(path), path).toMatch(/^[\w-]{43}$/);
  // One for each API: a service cannot call another's.
  expect(new Set(tokens.map((path) => files.get(path))).size).toBe(2);
  for (const service of ["restarter", "notifier"]) {
    const serviceToken =
      files.get(`${service}/api-token`) ?? files.get(`all-in-one/${service}-api-token`);
    expect(files.get(`operator/${service}-api-token`), service).toBe(serviceToken);
  }
  expect(paths.filter((path) => path.includes(".tmp"))).toEqual([]);
}

const SERVICES = [
  "nats/nats-keys.conf",
  "notifier/api-token",
  "notifier/nats.nk",
  "notifier/redis",
  "operator/nats.nk",
  "operator/notifier-api-token",
  "operator/restarter-api-token",
  "provision/nats.nk",
  "redis/notifier.sha256",
  "redis/restarter.sha256",
  "restarter/api-token",
  "restarter/nats.nk",
  "restarter/redis",
  "subscriber/nats.nk",
  "watcher/installation-key",
  "watcher/nats.nk",
];
const ALL_IN_ONE = [
  "all-in-one/nats.nk",
  "all-in-one/notifier-api-token",
  "all-in-one/redis",
  "all-in-one/restarter-api-token",
  "nats/nats-keys-all-in-one.conf",
  "redis/all-in-one.sha256",
];
const SHARED = [
  "operator/nats.nk",
  "operator/notifier-api-token",
  "operator/restarter-api-token",
  "provision/nats.nk",
  "subscriber/nats.nk",
];

test.each<[string, Shape | undefined, string[]]>([
  ["the services", "services", SERVICES],
  ["all in one", "all-in-one", [...ALL_IN_ONE, ...SHARED, "all-in-one/installation-key"]],
  ["both", undefined, [...SERVICES, ...ALL_IN_ONE]],
])(
  "keys for %s: each holder's folder has what it needs, and no other's",
  async (_, shape, expected) => {
    const dir = emptyDir();
    const written = await write(dir, shape);
    const paths = [...contents(dir).keys()];
    expect(paths).toEqual(expected.toSorted());
    expect(written.map((path) => relative(dir, path)).toSorted()).toEqual(paths);
    // nats-server cannot start before it is there.
    expect(written.at(-1)).toContain("nats/nats-keys");
    for (const path of paths) expect(statSync(join(dir, path)).mode & 0o777).toBe(0o400);
    expectWhole(dir);
  },
);

test("existing keys are left unchanged", async () => {
  const dir = emptyDir();
  await write(dir, "services");
  const before = contents(dir);
  expect(await write(dir, "services")).toEqual([]);
  expect(contents(dir)).toEqual(before);
});

test("a user that is new gets his keys, and the others keep theirs", async () => {
  const dir = emptyDir();
  await write(dir, "services");
  const before = contents(dir);
  await write(dir);
  expectWhole(dir);
  for (const [path, text] of before) expect(contents(dir).get(path), path).toBe(text);
});

const isSecret = (path: string) =>
  /\/(nats\.nk|redis|installation-key)$/.test(path) ||
  /^(restarter|notifier)\/api-token$/.test(path);

test(
  "whatever files of whichever runs are there, the keys fit after the next, and no secret is replaced",
  { timeout: 120_000 },
  async () => {
    const runs = [emptyDir(), emptyDir()];
    for (const dir of runs) await write(dir, "services");
    // Of each file: none, or that of one of two runs.
    const leftovers = fc.array(fc.constantFrom(undefined, 0, 1), {
      minLength: SERVICES.length,
      maxLength: SERVICES.length,
    });
    await fc.assert(
      fc.asyncProperty(leftovers, async (choice) => {
        const dir = emptyDir();
        for (const [at, path] of SERVICES.entries()) {
          const from = runs[choice[at] ?? -1];
          if (from !== undefined) cpSync(join(from, path), join(dir, path));
        }
        mkdirSync(dir, { recursive: true });
        const before = contents(dir);
        await write(dir, "services");
        expectWhole(dir);
        expect([...contents(dir).keys()]).toEqual(SERVICES);
        for (const [path, text] of before) {
          if (isSecret(path)) expect(contents(dir).get(path), path).toBe(text);
        }
        rmSync(dir, { recursive: true });
      }),
      { numRuns: 15 },
    );
  },
);

const FOLDERS = [
  "nats",
  "notifier",
  "operator",
  "provision",
  "redis",
  "restarter",
  "subscriber",
  "watcher",
];

test.each(FOLDERS)(
  "a run that fails at the folder %s names it, and the next makes the rest",
  async (folder) => {
    const dir = emptyDir();
    mkdirSync(dir);
    writeFileSync(join(dir, folder), "in the way");
    await expect(write(dir, "services")).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(
        new RegExp(`^${join(dir, folder)}\\S* cannot be \\w+: not a directory \\(ENOTDIR\\)$`),
      ),
    });
    rmSync(join(dir, folder));
    await write(dir, "services");
    expectWhole(dir);
  },
);

test("runs at the same time make one set", async () => {
  const dir = emptyDir();
  await Promise.allSettled([
    write(dir, "services"),
    write(dir, "services"),
    write(dir, "services"),
  ]);
  const before = contents(dir);
  await write(dir, "services");
  expectWhole(dir);
  for (const [path, text] of before) {
    if (isSecret(path)) expect(contents(dir).get(path), path).toBe(text);
  }
});

test.each([
  ["watcher/nats.nk", "S3CR3T", "holds no nkey seed of a user"],
  ["watcher/nats.nk", `SU${"A".repeat(56)}`, "holds no nkey seed of a user"],
  ["restarter/redis", " \n", "is empty"],
  ["watcher/installation-key", "S3CR3T", "is shorter than 32 bytes"],
  ["restarter/api-token", "S3CR3T with blanks in it", "is no line of at least 16 characters"],
])("what is no secret at %s is refused and not quoted", async (path, text, fault) => {
  const dir = emptyDir();
  mkdirSync(join(dir, dirname(path)), { recursive: true });
  writeFileSync(join(dir, path), text);
  const message = await write(dir, "services").then(
    () => "none",
    (err: Error) => err.message,
  );
  expect(message).toBe(`${join(dir, path)} ${fault}: delete it, and the next run makes another`);
});

describe("as a process", () => {
  const main = join(import.meta.dirname, "keys.ts");

  test.each([1, 4, 8, 12, 15])("killed at its file %d, the next run makes the rest", async (at) => {
    const dir = emptyDir();
    for (const folder of FOLDERS) mkdirSync(join(dir, folder), { recursive: true });
    const made = new Set<string>();
    const killed = Promise.withResolvers<void>();
    await using running = await startProcess(process.execPath, [
      main,
      "--dir",
      dir,
      "--shape",
      "services",
    ]);
    const watchers = FOLDERS.map((folder) =>
      watch(join(dir, folder), (_, name) => {
        if (name !== null && !name.endsWith(".tmp")) made.add(`${folder}/${name}`);
        if (made.size < at || running.hasExited()) return;
        process.kill(running.pid, "SIGKILL");
        killed.resolve();
      }),
    );
    await Promise.race([killed.promise, running.exited]);
    for (const watcher of watchers) watcher.close();
    await running.exited;
    const before = contents(dir);
    await write(dir, "services");
    expectWhole(dir);
    expect([...contents(dir).keys()]).toEqual(SERVICES);
    for (const [path, text] of before) {
      if (isSecret(path)) expect(contents(dir).get(path), path).toBe(text);
    }
  });
});
