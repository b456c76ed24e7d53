import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { startNats } from "@rollcast/testkit/nats";
import { startRedis } from "@rollcast/testkit/redis-server";

export type Backends = AsyncDisposable & {
  readonly natsUrl: string;
  readonly redisUrl: string;
};

/**
 * Starts NATS and Redis with their data below `dir`, or uses the user's if `NATS_URL` and
 * `REDIS_URL` are set.
 */
export async function startBackends(dir: string): Promise<Backends> {
  await using undo = new AsyncDisposableStack();
  const { NATS_URL: natsUrl = "", REDIS_URL: redisUrl = "" } = process.env;
  const storeDir = join(dir, "nats");
  await mkdir(storeDir, { recursive: true });
  const nats = natsUrl === "" ? undo.use(await startNats({ storeDir })) : { url: natsUrl };
  const redis =
    redisUrl === ""
      ? undo.use(await startRedis({ dataDir: join(dir, "redis") }))
      : { url: redisUrl };
  const kept = undo.move();
  return {
    natsUrl: nats.url,
    redisUrl: redis.url,
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
