import { startNats } from "../nats.ts";
import type { NatsServer } from "../nats.ts";
import { startReceiver } from "../receiver.ts";
import type { TestReceiver } from "../receiver.ts";
import { startRedis } from "../redis-server.ts";
import type { RedisServer } from "../redis-server.ts";
import type { HarnessOptions } from "./harness-types.ts";
import { startSecuredServers } from "./secured-servers.ts";
import type { ShippedUsers } from "./shipped-users.ts";

/** The servers beside the cluster. */
export type OpenServers = {
  readonly natsServers: readonly NatsServer[];
  readonly redis?: RedisServer;
  readonly users?: ShippedUsers;
  readonly receiver?: TestReceiver;
};

/** Starts the servers that were asked for; `dir` takes the keys of their users. */
export async function openServers(
  options: Pick<HarnessOptions<AsyncDisposable>, "nats" | "redis" | "secured" | "receiver">,
  dir: string,
  undo: AsyncDisposableStack,
): Promise<OpenServers> {
  const { nats, redis, secured } = options;
  const plain = async () => ({
    natsServers: nats === undefined ? [] : [undo.use(await startNats(nats))],
    redis: redis === undefined ? undefined : undo.use(await startRedis(redis)),
  });
  const servers =
    secured === undefined ? await plain() : await startSecuredServers(secured, dir, undo);
  const receiver = options.receiver === true ? undo.use(await startReceiver()) : undefined;
  return { ...servers, receiver };
}
