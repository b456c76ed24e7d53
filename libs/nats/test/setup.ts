import { startHarness } from "@rollcast/testkit/harness/harness";
import type { Extended } from "@rollcast/testkit/harness/harness-types";
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

export type Bus = Extended<Nats, { readonly server: NatsServer; readonly nats: Nats }>;

/** A nats-server with everything provisioned, and a client of it. */
export function startBus({
  logger = silent,
  ...nats
}: NatsServerOptions & { logger?: Logger } = {}): Promise<Bus> {
  const client = {
    connect: (to: { url: string }) => connectNats({ ...to, name: "test", logger }),
    provision: (connection: Nats) => provision(connection, 1),
  };
  return startHarness({ nats, client }, ({ nats: server, connection }) => ({
    server,
    nats: connection,
  }));
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
