import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { packageDir, repositoryRoot } from "../binaries.ts";
import { objectsIn, renderChart } from "../helm.ts";
import { startProcess } from "../process.ts";

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
export type InstallShape = "services" | "all-in-one";

/** The users of NATS and Redis. */
export type ShippedUsers = {
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
export function usersFile(name: string, shape: InstallShape): Promise<string> {
  const file = ofShape(name, shape);
  return readFile(join(repositoryRoot(), "deploy", "charts", "rollcast", "files", file), "utf8");
}

function ofShape(name: string, shape: InstallShape): string {
  return shape === "services" ? name : name.replace(".", "-all-in-one.");
}

/** Makes the keys of all users, as an installation does; `seed` is the user `test`'s. */
export async function makeKeys(dir: string, seed: string): Promise<void> {
  const main = join(repositoryRoot(), packageDir("provision"), "src", "keys.ts");
  const making = await startProcess(process.execPath, [main, "--dir", dir]);
  if ((await making.exited) !== 0) throw new Error(`no keys were made: ${making.output()}`);
  await mkdir(join(dir, "test"));
  await writeFile(join(dir, "test", "nats.nk"), seed);
}

function readKeys(dir: string, shape: InstallShape): Promise<string> {
  return readFile(join(dir, "nats", ofShape("nats-keys.conf", shape)), "utf8");
}

/** Configuration of NATS with one more user, for the test's own looks. */
function withTestUser(text: string, publicKey: string): string {
  return text.replace("users: [", `users: [\n { nkey: ${publicKey} }`);
}

/** The shipped configuration for a cluster of this name. */
export async function natsUsers(
  cluster: string,
  { dir, shape, publicKey }: { dir: string; shape: InstallShape; publicKey: string },
): Promise<string> {
  const text = (await usersFile("nats-users.conf", shape)).replaceAll("CLUSTER", cluster);
  return `${await readKeys(dir, shape)}\n${withTestUser(text, publicKey)}`;
}

/** The configuration and files of three servers, as the chart has them. */
export async function natsClusterFiles(cluster: string, dir: string, publicKey: string) {
  const text = await renderChart({ set: ["nats.replicas=3", `cluster=${cluster}`] });
  const conf = objectsIn(text)
    .map(({ data }) => (data as Record<string, string> | undefined)?.["nats.conf"])
    .find((value) => value !== undefined);
  const files = { "nats-keys.conf": await readKeys(dir, "services") };
  return { conf: withTestUser(conf ?? "", publicKey), files };
}

/** Arguments of redis-server that make the shipped users, and one for the test's own looks. */
export async function redisUsers(
  cluster: string,
  { dir, shape, password }: { dir: string; shape: InstallShape; password: string },
): Promise<string[]> {
  let text = (await usersFile("redis-users.txt", shape)).replaceAll("CLUSTER", cluster);
  for (const user of [...REDIS_USERS, "all-in-one"]) {
    const hash = await readFile(join(dir, "redis", `${user}.sha256`), "utf8");
    text = text.replace(`${user.toUpperCase().replaceAll("-", "_")}_SHA256`, hash);
  }
  const test = `test on >${password} ~* &* +@all`;
  return [...text.trim().split("\n"), test].flatMap((line) => ["--user", ...line.split(" ")]);
}
