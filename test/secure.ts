import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createNkey } from "@rollcast/shared/nats/nkey";
import type { Nkey } from "@rollcast/shared/nats/nkey";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer } from "@rollcast/testkit/nats";
import { startProcess } from "@rollcast/testkit/process";
import { startRedis } from "@rollcast/testkit/redis";
import type { RedisServer } from "@rollcast/testkit/redis";

export const NATS_USERS = ["watcher", "restarter", "notifier", "provision", "subscriber"] as const;
export type NatsUser = (typeof NATS_USERS)[number];
export const REDIS_USERS = ["restarter", "notifier"] as const;
export type RedisUser = (typeof REDIS_USERS)[number];

/** NATS and Redis with the very permissions that the chart ships. */
export type SecureBus = AsyncDisposable & {
  readonly nats: NatsServer;
  readonly redis: RedisServer;
  /** Path of a user's seed. `test`: a user of the account ROLLCAST that may do everything. */
  seedFile(user: NatsUser | "test"): string;
  /** The part of rollcast.yaml that makes a service this user. */
  identity(user: NatsUser): object;
  readonly passwords: Readonly<Record<RedisUser | "test", string>>;
};

function shipped(name: string): Promise<string> {
  return readFile(join(repositoryRoot(), "deploy", "charts", "rollcast", "files", name), "utf8");
}

/** The shipped configuration for a cluster, with one more user for the test's own looks. */
async function natsConfig(cluster: string, dir: string, test: Nkey): Promise<string> {
  const text = (await shipped("nats-users.conf")).replaceAll("CLUSTER", cluster);
  const keys = await readFile(join(dir, "nats", "nats-keys.conf"), "utf8");
  return `${keys}\n${text.replace("users: [", `users: [\n { nkey: ${test.publicKey} }`)}`;
}

async function redisUsers(cluster: string, dir: string, password: string): Promise<string[]> {
  let text = (await shipped("redis-users.txt")).replaceAll("CLUSTER", cluster);
  for (const user of REDIS_USERS) {
    const hash = await readFile(join(dir, "redis", `${user}.sha256`), "utf8");
    text = text.replace(`${user.toUpperCase()}_SHA256`, hash);
  }
  const test = `test on >${password} ~* &* +@all`;
  return [...text.trim().split("\n"), test].flatMap((line) => ["--user", ...line.split(" ")]);
}

async function makeKeys(dir: string): Promise<void> {
  const main = join(repositoryRoot(), "services", "provision", "src", "keys.ts");
  const making = await startProcess(process.execPath, [main, "--dir", dir]);
  if ((await making.exited) !== 0) throw new Error(`no keys were made: ${making.output()}`);
}

export async function startSecureBus(cluster: string): Promise<SecureBus> {
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "rollcast-secure-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  await makeKeys(dir);
  const test = createNkey();
  await mkdir(join(dir, "test"));
  await writeFile(join(dir, "test", "nats.nk"), test.seed);
  const passwords: Record<string, string> = { test: randomBytes(12).toString("hex") };
  for (const user of REDIS_USERS) {
    passwords[user] = await readFile(join(dir, user, "redis"), "utf8");
  }
  const known = passwords as SecureBus["passwords"];
  const nats = undo.use(await startNats({ config: await natsConfig(cluster, dir, test) }));
  const args = await redisUsers(cluster, dir, known.test);
  const redis = undo.use(await startRedis({ args }));
  const seedFile = (user: string) => join(dir, user, "nats.nk");
  const kept = undo.move();
  return {
    nats,
    redis,
    seedFile,
    passwords: known,
    identity: (user) => ({
      nats: { nkey: { file: seedFile(user) } },
      ...(REDIS_USERS.some((name) => name === user)
        ? { redis: { username: user, password: { file: join(dir, user, "redis") } } }
        : {}),
    }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
