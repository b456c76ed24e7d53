import { randomBytes } from "node:crypto";
import { z } from "zod";
import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent } from "@rollcast/shared/events";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { readEvents } from "@rollcast/nats/history";
import { openKv } from "@rollcast/nats/kv";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { createNamespace, paths } from "@rollcast/testkit/objects";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer } from "@rollcast/testkit/nats";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import { startRedis } from "@rollcast/testkit/redis-server";
import type { RedisServer } from "@rollcast/testkit/redis-server";
import { startSecureBus } from "./secure.ts";
import type { NatsUser } from "./secure.ts";
import { startService } from "@rollcast/testkit/services";
import type { ServiceLogLine, Service, ServiceName } from "@rollcast/testkit/services";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { waitFor } from "@rollcast/testkit/wait";

/**
 * The whole of Rollcast on real servers: its own NATS, Redis, receiver and namespace, on the shared
 * control plane.
 */
export type Stack = AsyncDisposable & {
  readonly api: Api;
  readonly namespace: string;
  readonly nats: NatsServer;
  /** All servers of NATS. */
  readonly natsServers: readonly NatsServer[];
  readonly redis: RedisServer;
  readonly receiver: TestReceiver;
  /** The services that were started, also those that are gone. */
  readonly services: readonly Service[];
  /** Starts one more process of a service and waits until it is ready. */
  start(name: ServiceName, options?: StartOptions): Promise<Service>;
  /** Every event in the stream, oldest first. */
  events(): Promise<RollcastEvent[]>;
  /** Waits for an event about the object of this name. */
  waitEvent(outcome: string, name: string, count?: number): Promise<RollcastEvent>;
  /** Every log line of every service. */
  logs(): ServiceLogLine[];
  /** A connection for a look into streams and buckets. */
  connect(): Promise<Nats>;
  /** Path of the seed of a user of NATS, where it has users. */
  seedFile(user: NatsUser): string;
};

export type StartOptions = {
  env?: Readonly<Record<string, string>>;
  config?: object;
  kubeconfig?: string;
  /** A folder that holds the service as an image does. */
  root?: string;
  /** Options of Node. */
  nodeOptions?: readonly string[];
  /** Return before it is ready. */
  wait?: boolean;
};

export type StackOptions = {
  /** Merged over the test's configuration. */
  config?: object;
  services?: readonly ServiceName[];
  kubeconfig?: string;
  /** Another control plane than the one that all tests share. */
  cluster?: ClusterAccess & { readonly api: Api };
  /**
   * NATS and Redis as the chart ships them, each service as its own user, or all as one;
   * `provision` must be started too.
   */
  secure?: true | "all-in-one";
  /** Three: a cluster of NATS as the chart ships it, which is secure. */
  natsServers?: 1 | 3;
};

const SIGNING_SECRET = `whsec_${Buffer.from("a signing secret of the tests, 32 b").toString("base64")}`;

function baseConfig(namespace: string, receiver: TestReceiver) {
  return {
    apiVersion: "rollcast.dev/v1",
    kind: "Config",
    cluster: "test",
    scope: { namespaces: [namespace] },
    queues: [{ name: "default", window: "300ms", concurrency: 20 }],
    rollout: { resyncInterval: "5m" },
    log: { level: "debug" },
    notifier: {
      route: { groupWait: "500ms", groupInterval: "500ms" },
      receivers: [
        {
          name: "hook",
          webhook: {
            url: `${receiver.url}/hook`,
            format: "standard",
            signing: { secretsFrom: [{ env: "TEST_SIGNING_SECRET" }] },
          },
          security: {
            allowHttp: true,
            allowCidrs: ["127.0.0.0/8"],
            allowedPorts: [receiver.port],
          },
        },
      ],
    },
  };
}

/** The signing secret of the stack's webhook. */
export const webhookSecret = SIGNING_SECRET;

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  await using undo = new AsyncDisposableStack();
  const cluster = options.cluster ?? useCluster();
  if (options.cluster === undefined) undo.use(cluster.api);
  const namespace = undo.use(await createNamespace(cluster.api, "app"));
  const shape = options.secure === "all-in-one" ? options.secure : "services";
  const servers = options.natsServers ?? 1;
  const secure =
    options.secure !== undefined || servers === 3
      ? undo.use(await startSecureBus("test", { shape, servers }))
      : undefined;
  const nats = secure?.nats ?? undo.use(await startNats());
  const redis = secure?.redis ?? undo.use(await startRedis());
  const receiver = undo.use(await startReceiver());
  const services: Service[] = [];
  undo.defer(async () => {
    await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
  });
  const base = { ...baseConfig(namespace.name, receiver), ...options.config };
  const silent = createLogger("test", "silent");
  const nkey = secure === undefined ? {} : { nkey: { file: secure.seedFile("test") } };
  const natsUrl = secure?.natsUrl ?? nats.url;
  const connect = () => connectNats({ url: natsUrl, name: "test", logger: silent, ...nkey });
  const connection = undo.use(await connect());

  const start = async (name: ServiceName, more: StartOptions = {}): Promise<Service> => {
    const identity = secure?.identity(name);
    const config = { ...base, ...identity, ...more.config };
    // It would roll what other tests look at on the control plane that they share.
    if (options.cluster === undefined && (config.scope.namespaces ?? []).length === 0) {
      throw new Error("a scope without namespaces needs a control plane of its own");
    }
    const service = await startService(name, {
      config,
      kubeconfig: more.kubeconfig ?? options.kubeconfig ?? cluster.kubeconfig,
      natsUrl,
      redisUrl: redis.url,
      root: more.root,
      nodeOptions: more.nodeOptions,
      env: {
        ROLLCAST_NAMESPACE: namespace.name,
        TEST_SIGNING_SECRET: SIGNING_SECRET,
        ...more.env,
      },
    });
    services.push(service);
    if (name === "provision") await service.exited;
    else if (more.wait !== false) await service.waitReady(60_000);
    return service;
  };
  const events = () => readEvents(connection);
  await Promise.all(
    (options.services ?? ["watcher", "restarter", "notifier"]).map((name) => start(name)),
  );
  const kept = undo.move();
  return {
    api: cluster.api,
    namespace: namespace.name,
    nats,
    natsServers: secure?.natsServers ?? [nats],
    redis,
    receiver,
    services,
    start,
    events,
    waitEvent: (outcome, name, count = 1) =>
      waitFor(
        async () => {
          const matching = (await events()).filter(
            (event) =>
              eventOutcome(event.type).outcome === outcome &&
              (event.subject === name || event.subject?.endsWith(`/${name}`)),
          );
          return matching.length >= count ? matching[count - 1] : undefined;
        },
        { message: `${count} ${outcome} of ${name}`, timeout: 60_000, every: 100 },
      ),
    logs: () => services.flatMap((service) => service.logs),
    connect,
    seedFile(user) {
      if (secure === undefined) throw new Error("this NATS has no users");
      return secure.seedFile(user);
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

/** Words of the rollout events about a workload, in the order of the stream. */
export function wordsOf(events: readonly RollcastEvent[], name: string): string[] {
  return events
    .filter((event) => eventOutcome(event.type).domain === "rollout")
    .filter((event) => event.subject?.endsWith(`/${name}`))
    .map((event) => eventOutcome(event.type).outcome);
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
