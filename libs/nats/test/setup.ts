import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer, NatsServerOptions } from "@rollcast/testkit/nats";
import { sourceEvent } from "@rollcast/shared/event-builders";
import type { SourceEvent } from "@rollcast/shared/events";
import { createLogger } from "@rollcast/runtime/logger";
import type { Logger } from "@rollcast/runtime/logger";
import { recordLogLines } from "@rollcast/testkit/log-lines";
import type { LogLine } from "@rollcast/testkit/log-lines";
import { connectNats } from "../src/connect.ts";
import type { Nats } from "../src/connect.ts";
import { provision } from "../src/provision.ts";
import { sourceSubject } from "@rollcast/shared/subjects";
import type { Subject } from "@rollcast/shared/subjects";

export const silent = createLogger("test", "silent");

/** A logger that keeps its lines. */
export function recordingLogger(): { logger: Logger; lines: LogLine[] } {
  const { destination, lines } = recordLogLines();
  return { logger: createLogger("test", "trace", destination), lines };
}

/** A nats-server with everything provisioned, and a client of it. */
export async function startBus(
  options: NatsServerOptions & { logger?: Logger } = {},
): Promise<AsyncDisposable & { server: NatsServer; nats: Nats; connect: () => Promise<Nats> }> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startNats(options));
  const logger = options.logger ?? silent;
  const dial = () => connectNats({ url: server.url, name: "test", logger });
  const nats = stack.use(await dial());
  await provision(nats, 1);
  const kept = stack.move();
  return {
    server,
    nats,
    connect: async () => kept.use(await dial()),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** An event of a change of the ConfigMap `shop/<name>`, and its subject. */
export function changeOf(name: string): { subject: Subject; event: SourceEvent } {
  const event = sourceEvent(
    { id: `id-${name}`, cluster: "prod", service: "watcher", time: Date.now() },
    "changed",
    {
      kind: "ConfigMap",
      namespace: "shop",
      name,
      uid: "u1",
      resourceVersion: "1",
      changedKeys: { added: [], changed: ["A"], removed: [] },
      reason: "DataChanged",
    },
  );
  return { subject: sourceSubject("prod", "changed", event.data), event };
}
