import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startNatsCluster } from "../nats-cluster.ts";
import { startNats } from "../nats.ts";
import { startRedis } from "../redis-server.ts";
import { CLUSTER } from "./base-config.ts";
import { REDIS_USERS, makeKeys, natsClusterFiles, natsUsers, redisUsers } from "./shipped-users.ts";
import type { InstallShape, ShippedUsers } from "./shipped-users.ts";

export type SecuredOptions = {
  /** Key of the user `test`; handed in, because the package that makes one stands above. */
  testKey: { readonly seed: string; readonly publicKey: string };
  shape?: InstallShape;
  /** How many servers of NATS there are; three are a cluster, of three services. */
  servers?: 1 | 3;
  /** More lines for the configuration of a NATS of one server. */
  config?: string;
};

/** NATS and Redis with the very permissions that the chart ships; keys lie in `dir`. */
export async function startSecuredServers(
  { testKey, shape = "services", servers = 1, config = "" }: SecuredOptions,
  dir: string,
  undo: AsyncDisposableStack,
) {
  await makeKeys(dir, testKey.seed);
  const { publicKey } = testKey;
  const passwords: Record<string, string> = { test: randomBytes(12).toString("hex") };
  for (const user of [...REDIS_USERS, "all-in-one"]) {
    passwords[user] = await readFile(join(dir, user, "redis"), "utf8");
  }
  const byUser = passwords as ShippedUsers["passwords"];
  const startOne = async () =>
    startNats({ config: `${config}\n${await natsUsers(CLUSTER, { dir, shape, publicKey })}` });
  const startThree = async () => startNatsCluster(await natsClusterFiles(CLUSTER, dir, publicKey));
  const natsServers =
    servers === 3 ? undo.use(await startThree()).servers : [undo.use(await startOne())];
  const args = await redisUsers(CLUSTER, { dir, shape, password: byUser.test });
  const redis = undo.use(await startRedis({ args }));
  const seedFile = (user: string) => join(dir, user, "nats.nk");
  const users: ShippedUsers = {
    seedFile,
    passwords: byUser,
    identity: (user) => ({
      nats: { nkey: { file: seedFile(user) }, replicas: servers },
      redis:
        user in byUser
          ? { username: user, password: { file: join(dir, user, "redis") } }
          : undefined,
    }),
  };
  return { natsServers, redis, users };
}
