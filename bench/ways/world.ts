import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startCluster } from "@rollcast/testkit/cluster";
import { deployment } from "@rollcast/testkit/deployment";
import { startNats } from "@rollcast/testkit/nats";
import { configMap, createNamespace, paths } from "@rollcast/testkit/objects";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startService } from "@rollcast/testkit/services";
import type { Service, ServiceName } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import type { ProbeOptions } from "./passage.ts";
import { CHANGE, STRETCHES } from "./stretches.ts";

/** The services on real servers, each with a probe; a change passes through all of them. */
export type World = AsyncDisposable & {
  readonly services: readonly Service[];
  /** Changes the ConfigMap, and waits for the message that its workload was rolled. */
  change(value: string): Promise<void>;
};

const MESSAGE_MS = 120_000;

/** Only keys that older commits have too. */
function configOf(namespace: string, { url, port }: TestReceiver): object {
  const webhook = { url: `${url}${CHANGE.path}` };
  const security = { allowHttp: true, allowCidrs: ["127.0.0.0/8"], allowedPorts: [port] };
  return {
    apiVersion: "rollcast.dev/v1",
    kind: "Config",
    cluster: "ways",
    scope: { namespaces: [namespace] },
    queues: [{ name: "default", window: "100ms", concurrency: 20 }],
    rollout: { loopBreaker: { maxRollouts: 1_000 } },
    notifier: {
      route: {
        receiver: "nobody",
        groupWait: "100ms",
        groupInterval: "100ms",
        routes: [{ match: ['outcome == "succeeded"'], receiver: "hook" }],
      },
      receivers: [
        { name: "nobody", none: {} },
        { name: "hook", webhook, security },
      ],
    },
  };
}

/** A folder from which the service of that checkout is started as an image's. */
async function createEntry(dir: string, root: string, name: ServiceName): Promise<string> {
  const entry = join(dir, name);
  await mkdir(entry);
  const main = pathToFileURL(join(root, "services", name, "src", "main.ts"));
  await writeFile(join(entry, "main.mjs"), `import "${main.href}";\n`);
  return entry;
}

/** Starts the services of the checkout at `root` and waits until they are ready. */
export async function openWorld(root: string, undisturbed: number): Promise<World> {
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "rollcast-ways-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  const cluster = undo.use(await startCluster());
  const nats = undo.use(await startNats());
  const redis = undo.use(await startRedis());
  const receiver = undo.use(await startReceiver());
  const { name: namespace } = await createNamespace(cluster.api, "ways");
  const source = configMap(namespace, CHANGE.source, { a: "0" });
  await cluster.api.create(paths.configMap(namespace), source);
  const uses = [{ as: "envFrom", configMap: CHANGE.source }] as const;
  const workload = deployment(namespace, CHANGE.workload, { uses });
  await cluster.api.create(paths.deployment(namespace), workload);

  const probe = join(import.meta.dirname, "probe", "probe.ts");
  const services: Service[] = [];
  for (const { service, begin, end } of STRETCHES) {
    const options: ProbeOptions = {
      root: `${pathToFileURL(root).href}/`,
      begin,
      end,
      undisturbed,
    };
    const started = await startService(service, {
      config: configOf(namespace, receiver),
      kubeconfig: cluster.kubeconfig,
      natsUrl: nats.url,
      redisUrl: redis.url,
      root: await createEntry(dir, root, service),
      nodeOptions: [`--import=${probe}`],
      env: { ROLLCAST_NAMESPACE: namespace, WAY: JSON.stringify(options) },
    });
    services.push(undo.use(started));
  }
  await Promise.all(services.map((service) => service.waitReady()));
  const kept = undo.move();
  return {
    services,
    async change(value) {
      const before = receiver.received.length;
      await cluster.api.patch(paths.configMap(namespace, CHANGE.source), { data: { a: value } });
      await waitFor(() => receiver.received.length > before, {
        timeout: MESSAGE_MS,
        message: "the message about a change",
      });
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
