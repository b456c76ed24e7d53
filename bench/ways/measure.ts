import { setTimeout as sleep } from "node:timers/promises";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Service, ServiceName } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { deployment } from "@rollcast/testkit/deployment";
import { localSecurity } from "@rollcast/testkit/harness/base-config";
import { startHarness } from "@rollcast/testkit/harness/harness";
import type { Harness } from "@rollcast/testkit/harness/harness-types";
import { configMap, paths } from "@rollcast/testkit/objects";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import type { Passage, ProbeOptions } from "./passage.ts";
import { wayOf } from "./way.ts";
import type { Way } from "./way.ts";

/** Changes after which a service has done everything that it does once. */
const WARM = 3;
/** Changes of which the order is looked at. */
const ORDERED = 3;
/** Between two changes, milliseconds: the timers of the services meet each at another moment. */
const REST_MS = 500;
const MAX_REST_MS = 2_500;
const SHIFT_MS = 377;

function passagesOf({ logs }: Service): Passage[] {
  return logs.filter(({ msg }) => msg === "way") as unknown as Passage[];
}

/** The ways of the checkout at `root`, in the order of `STRETCHES`, by so many changes. */
export async function measureWays(root: string, counted: number): Promise<Way[]> {
  await using world = await openWorld(root, WARM + counted);
  const changes = WARM + counted + ORDERED;
  for (let i = 1; i <= changes; i++) {
    await sleep(REST_MS + ((i * SHIFT_MS) % (MAX_REST_MS - REST_MS)));
    await world.change(String(i));
  }
  return Promise.all(
    world.services.map(async (service, i) => {
      await waitFor(() => passagesOf(service).length === changes, {
        message: `${service.name} to have seen ${changes} changes`,
      });
      const title = STRETCHES[i]?.title ?? service.name;
      return wayOf({ service: service.name, title }, passagesOf(service).slice(WARM));
    }),
  );
}

/** The services on real servers, each with a probe; a change passes through all of them. */
type World = AsyncDisposable & {
  readonly services: readonly Service[];
  /** Changes the ConfigMap, and waits for the message that its workload was rolled. */
  change(value: string): Promise<void>;
};

const MESSAGE_MS = 120_000;

/** Only keys that older commits have too. */
function configOf(receiver: TestReceiver): object {
  const webhook = { url: `${receiver.url}${CHANGE.path}` };
  return {
    queues: [{ name: "default", window: "100ms", concurrency: 20 }],
    rollout: { loopBreaker: { maxRollouts: 1_000 } },
    // As users have it: what is logged at a lower level passes other files.
    log: undefined,
    notifier: {
      route: {
        receiver: "nobody",
        groupWait: "100ms",
        groupInterval: "100ms",
        routes: [{ match: ['outcome == "succeeded"'], receiver: "hook" }],
      },
      receivers: [
        { name: "nobody", none: {} },
        { name: "hook", webhook, security: localSecurity(receiver) },
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

/** A change passes through it. */
async function prepare({ api, namespace }: Harness): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, CHANGE.source, { a: "0" }));
  const uses = [{ as: "envFrom", configMap: CHANGE.source }] as const;
  const workload = deployment(namespace, CHANGE.workload, { uses });
  await api.create(paths.deployment(namespace), workload);
}

/** Starts the services of the checkout at `root` and waits until they are ready. */
function openWorld(root: string, undisturbed: number): Promise<World> {
  const open = async (harness: Harness) => {
    await prepare(harness);
    const { api, dir, namespace, receiver, services } = harness;
    const probe = join(import.meta.dirname, "probe", "probe.ts");
    for (const { service, begin, end } of STRETCHES) {
      const options: ProbeOptions = {
        root: `${pathToFileURL(root).href}/`,
        begin,
        end,
        undisturbed,
      };
      await harness.start(service, {
        root: await createEntry(dir, root, service),
        nodeOptions: [`--import=${probe}`],
        env: { WAY: JSON.stringify(options) },
        wait: false,
      });
    }
    await Promise.all(services.map((service) => service.waitReady()));
    return {
      async change(value: string) {
        const before = receiver.received.length;
        await api.patch(paths.configMap(namespace, CHANGE.source), { data: { a: value } });
        await waitFor(() => receiver.received.length > before, {
          timeout: MESSAGE_MS,
          message: "the message about a change",
        });
      },
    };
  };
  const config = ({ receiver }: Harness) => configOf(receiver);
  const servers = { nats: {}, redis: {}, receiver: true };
  return startHarness({ cluster: {}, namespace: "ways", ...servers, config }, open);
}

/** A service's part of the way of a change. */
type Stretch = {
  readonly service: ServiceName;
  readonly title: string;
  /** Regular expressions of the bytes on its sockets between which it lies. */
  readonly begin: string;
  readonly end: string;
};

/** What passes: this ConfigMap, to this Deployment, to this path of the receiver. */
const CHANGE = { source: "cfg", workload: "web", path: "/hook" } as const;

export const STRETCHES: readonly Stretch[] = [
  {
    service: "watcher",
    title: "From a watch event to `source.changed`",
    begin: `"type":"MODIFIED".*"name":"${CHANGE.source}"`,
    end: String.raw`PUB rollcast\.v1\.\S+\.source\.changed\.`,
  },
  {
    service: "restarter",
    title: "From `source.changed` to the patch",
    begin: String.raw`MSG rollcast\.v1\.\S+\.source\.changed\.`,
    end: String.raw`^PATCH /apis/apps/v1/namespaces/\S+/deployments/${CHANGE.workload}[? ]`,
  },
  {
    service: "notifier",
    title: "From `rollout.succeeded` to the message",
    begin: String.raw`MSG rollcast\.v1\.\S+\.rollout\.succeeded\.`,
    end: `^POST ${CHANGE.path} `,
  },
];
