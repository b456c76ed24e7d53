import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createNkey } from "@rollcast/nats/nkey";
import type { Nkey } from "@rollcast/nats/nkey";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { objectsIn, renderChart } from "@rollcast/testkit/helm";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer } from "@rollcast/testkit/nats";
import { startNatsCluster } from "@rollcast/testkit/nats-cluster";
import type { NatsCluster } from "@rollcast/testkit/nats-cluster";
import { startProcess } from "@rollcast/testkit/process";
import { startRedis } from "@rollcast/testkit/redis-server";
import type { RedisServer } from "@rollcast/testkit/redis-server";

export const NATS_USERS = [
  "watcher",
  "restarter",
  "notifier",
  "provision",
  "subscriber",
  "operator",
] as const;
export type NatsUser = (typeof NATS_USERS)[number] | "all-in-one";
export const REDIS_USERS = ["restarter", "notifier"] as const;
export type RedisUser = (typeof REDIS_USERS)[number] | "all-in-one";

/** Three services, or one process that is all of them. Each shape has users of its own. */
export type Shape = "services" | "all-in-one";

/** NATS and Redis with the very permissions that the chart ships. */
export type SecureBus = AsyncDisposable & {
  readonly nats: NatsServer;
  /** All servers of NATS, and how a client names them. */
  readonly natsServers: readonly NatsServer[];
  readonly natsUrl: string;
  readonly redis: RedisServer;
  /** Path of a user's seed. `test`: a user of the account ROLLCAST that may do everything. */
  seedFile(user: NatsUser | "test"): string;
  /** The part of rollcast.yaml that makes a service this user. */
  identity(user: NatsUser): object;
  readonly passwords: Readonly<Record<RedisUser | "test", string>>;
};

/**
 * A file of the chart that gives the servers the rights of each user; `nats-users.conf` or
 * `redis-users.txt`.
 */
export function usersFile(name: string, shape: Shape): Promise<string> {
  const file = ofShape(name, shape);
  return readFile(join(repositoryRoot(), "deploy", "charts", "rollcast", "files", file), "utf8");
}

function ofShape(name: string, shape: Shape): string {
  return shape === "services" ? name : name.replace(".", "-all-in-one.");
}

/** The shipped configuration for a cluster, with one more user for the test's own looks. */
async function natsConfig(cluster: string, shape: Shape, dir: string, test: Nkey): Promise<string> {
  const text = (await usersFile("nats-users.conf", shape)).replaceAll("CLUSTER", cluster);
  const keys = await readFile(join(dir, "nats", ofShape("nats-keys.conf", shape)), "utf8");
  return `${keys}\n${text.replace("users: [", `users: [\n { nkey: ${test.publicKey} }`)}`;
}

/** Three servers set up as the chart does. */
async function startCluster(cluster: string, dir: string, test: Nkey): Promise<NatsCluster> {
  const text = await renderChart({ set: ["nats.replicas=3", `cluster=${cluster}`] });
  const conf = objectsIn(text)
    .map(({ data }) => (data as Record<string, string> | undefined)?.["nats.conf"])
    .find((value) => value !== undefined);
  const keys = await readFile(join(dir, "nats", "nats-keys.conf"), "utf8");
  return startNatsCluster({
    conf: (conf ?? "").replace("users: [", `users: [\n { nkey: ${test.publicKey} }`),
    files: { "nats-keys.conf": keys },
  });
}

async function redisUsers(
  cluster: string,
  shape: Shape,
  dir: string,
  password: string,
): Promise<string[]> {
  let text = (await usersFile("redis-users.txt", shape)).replaceAll("CLUSTER", cluster);
  for (const user of [...REDIS_USERS, "all-in-one"]) {
    const hash = await readFile(join(dir, "redis", `${user}.sha256`), "utf8");
    text = text.replace(`${user.toUpperCase().replaceAll("-", "_")}_SHA256`, hash);
  }
  const test = `test on >${password} ~* &* +@all`;
  return [...text.trim().split("\n"), test].flatMap((line) => ["--user", ...line.split(" ")]);
}

async function makeKeys(dir: string): Promise<void> {
  const main = join(repositoryRoot(), "jobs", "provision", "src", "keys.ts");
  const making = await startProcess(process.execPath, [main, "--dir", dir]);
  if ((await making.exited) !== 0) throw new Error(`no keys were made: ${making.output()}`);
}

export type SecureOptions = {
  shape?: Shape;
  /** How many servers of NATS there are; three are a cluster, of three services. */
  servers?: 1 | 3;
  /** More lines for the configuration of a NATS of one server. */
  config?: string;
};

export async function startSecureBus(
  cluster: string,
  { shape = "services", servers = 1, config = "" }: SecureOptions = {},
): Promise<SecureBus> {
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "rollcast-secure-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  await makeKeys(dir);
  const test = createNkey();
  await mkdir(join(dir, "test"));
  await writeFile(join(dir, "test", "nats.nk"), test.seed);
  const passwords: Record<string, string> = { test: randomBytes(12).toString("hex") };
  for (const user of [...REDIS_USERS, "all-in-one"]) {
    passwords[user] = await readFile(join(dir, user, "redis"), "utf8");
  }
  const byUser = passwords as SecureBus["passwords"];
  const natsServers =
    servers === 3
      ? undo.use(await startCluster(cluster, dir, test)).servers
      : [
          undo.use(
            await startNats({
              config: `${config}\n${await natsConfig(cluster, shape, dir, test)}`,
            }),
          ),
        ];
  const [nats] = natsServers;
  if (nats === undefined) throw new Error("no server of NATS");
  const args = await redisUsers(cluster, shape, dir, byUser.test);
  const redis = undo.use(await startRedis({ args }));
  const seedFile = (user: string) => join(dir, user, "nats.nk");
  const kept = undo.move();
  return {
    nats,
    natsServers,
    natsUrl: natsServers.map(({ url }) => url).join(","),
    redis,
    seedFile,
    passwords: byUser,
    identity: (user) => ({
      nats: { nkey: { file: seedFile(user) }, replicas: servers },
      redis:
        user in byUser
          ? { username: user, password: { file: join(dir, user, "redis") } }
          : undefined,
    }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
