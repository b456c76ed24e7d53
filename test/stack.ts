import { randomBytes } from "node:crypto";
import { z } from "zod";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { readEvents } from "@rollcast/nats/history";
import { openKv } from "@rollcast/nats/kv";
import { createNkey } from "@rollcast/nats/nkey";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { webhookReceiver } from "@rollcast/testkit/harness/base-config";
import { startHarness } from "@rollcast/testkit/harness/harness";
import type { Harness, HarnessOptions, NatsAddress } from "@rollcast/testkit/harness/harness-types";
import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";

export { wordsOf } from "@rollcast/testkit/harness/find-events";

/**
 * The whole of Rollcast on real servers: its own NATS, Redis, receiver and namespace, on the shared
 * control plane.
 */
export type Stack = Harness<Nats>;

export type SecuredOptions = Omit<NonNullable<HarnessOptions<Nats>["secured"]>, "testKey">;

type StackOptions = Pick<HarnessOptions<Nats>, "cluster" | "faultProxy" | "services"> & {
  /** Merged over the test's configuration. */
  config?: object;
  /** NATS and Redis as the chart ships them; `provision` must be started too. */
  secured?: SecuredOptions;
};

const logger = createLogger("test", "silent");

const client = {
  connect: (to: NatsAddress) => connectNats({ ...to, name: "test", logger }),
  readEvents,
};

export function startStack({ config, secured, ...options }: StackOptions = {}): Promise<Stack> {
  const servers =
    secured === undefined
      ? { nats: {}, redis: {} }
      : { secured: { testKey: createNkey(), ...secured } };
  return startHarness({
    cluster: "shared",
    namespace: "app",
    receiver: true,
    client,
    services: ["watcher", "restarter", "notifier"],
    config: ({ receiver }) => ({
      queues: [{ name: "default", window: "300ms", concurrency: 20 }],
      rollout: { resyncInterval: "5m" },
      notifier: {
        route: { groupWait: "500ms", groupInterval: "500ms" },
        receivers: [webhookReceiver(receiver)],
      },
      ...config,
    }),
    ...servers,
    ...options,
  });
}

/** NATS and Redis with the very permissions that the chart ships, and what `extend` adds. */
export function startSecuredServers<S extends object = object>(
  secured: SecuredOptions = {},
  extend?: (harness: Harness, undo: AsyncDisposableStack) => Promise<S>,
) {
  return startHarness({ secured: { testKey: createNkey(), ...secured } }, extend);
}

/**
 * Waits until a Deployment's record says that nothing is to be done any more, so that what follows
 * is a new story.
 */
export async function waitSettled(stack: Stack, name: string): Promise<void> {
  await using nats = await stack.connect();
  const records = await openKv(nats, "workloads", z.object({ phase: z.string() }));
  await waitFor(
    async () => {
      const entry = await records.get(`test.deployment.${stack.namespace}.${name}`);
      return entry?.value.phase === "current";
    },
    { message: `the record of ${name} to be current` },
  );
}

/** A value that cannot appear anywhere by chance. */
export function uniqueValue(): string {
  return `v-${randomBytes(12).toString("hex")}`;
}

/** Changes one key, as `kubectl edit` would. */
export async function setKey(stack: Stack, name: string, key: string, value: string) {
  return stack.api.patch(
    paths.configMap(stack.namespace, name),
    { data: { [key]: value } },
    "kubectl-edit",
  );
}

export async function setSecretKey(stack: Stack, name: string, key: string, value: string) {
  const data = { [key]: Buffer.from(value).toString("base64") };
  return stack.api.patch(paths.secret(stack.namespace, name), { data }, "kubectl-edit");
}

/** How often a Deployment's spec was changed since it was made. */
export async function generationOf(stack: Stack, name: string): Promise<number> {
  const object = await stack.api.get<AnyObject>(paths.deployment(stack.namespace, name));
  return object.metadata.generation ?? 0;
}
