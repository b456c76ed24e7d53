import { mapLimit } from "@rollcast/async/map-limit";
import { connectNats } from "@rollcast/nats/connect";
import type { AnyObject } from "@rollcast/testkit/test-api";
import type { Cluster } from "@rollcast/testkit/cluster";
import { configMap, paths, secret } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { numbers } from "../../lab/numbers.ts";
import { silent } from "../../lab/silent.ts";

const WRITERS = 16;
const BYTES = 2_048;

async function createSources({ api }: Cluster, namespace: string, count: number): Promise<void> {
  await mapLimit(numbers(0, count), WRITERS, async (i) => {
    const data = { value: `${i}-`.repeat(BYTES).slice(0, BYTES) };
    const name = `source-${i}`;
    if (i % 2 === 0) await api.create(paths.configMap(namespace), configMap(namespace, name, data));
    else await api.create(paths.secret(namespace), secret(namespace, name, data));
  });
}

/** Deployments that all use `cfg`. */
async function createWorkloads({ api }: Cluster, namespace: string, count: number): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await mapLimit(numbers(0, count), WRITERS, async (i) => {
    const name = `web-${i}`;
    const shape = { uses, replicas: 0 };
    await api.create(paths.deployment(namespace), deployment(namespace, name, shape));
  });
}

type Bed = {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly natsUrl: string;
  start(): Promise<Service[]>;
  isTold(): boolean;
};

/** Waits until a bucket of NATS has so many records. */
async function waitRecorded({ natsUrl }: Bed, bucket: string, count: number): Promise<void> {
  await using nats = await connectNats({ url: natsUrl, name: "bench", logger: silent });
  const records = async () => (await nats.jsm.streams.info(`KV_${bucket}`)).state.num_subjects ?? 0;
  await waitFor(async () => (await records()) >= count, {
    ...LONG,
    message: `${count} records of ${bucket}`,
  });
}

async function areRolled({ cluster, namespace }: Bed): Promise<boolean> {
  const { items } = await cluster.api.get<{ items: AnyObject[] }>(paths.deployment(namespace));
  return items.every(({ metadata }) => metadata.generation === 2);
}

type Stage = {
  readonly name: string;
  /** Before the services start. */
  prepare?(bed: Bed): Promise<void>;
  /** Returns when they are where the stage wants them. */
  reach?(bed: Bed): Promise<void>;
};

export function stages(sources: number, workloads: number): Stage[] {
  return [
    { name: "idle" },
    {
      name: `${sources} sources`,
      prepare: (bed) => createSources(bed.cluster, bed.namespace, sources),
      reach: (bed) => waitRecorded(bed, "sources", sources),
    },
    {
      name: `${sources} sources, ${workloads} workloads`,
      prepare: (bed) => createWorkloads(bed.cluster, bed.namespace, workloads),
      reach: (bed) => waitRecorded(bed, "workloads", workloads),
    },
    {
      name: "all of them rolled and notified",
      async reach(bed) {
        const { cluster, namespace } = bed;
        await waitRecorded(bed, "workloads", workloads);
        await cluster.api.patch(paths.configMap(namespace, "cfg"), { data: { a: "1" } });
        await waitFor(() => areRolled(bed), { ...LONG, message: "every workload to be rolled" });
        await waitFor(() => bed.isTold(), { ...LONG, message: "the receiver to be notified" });
      },
    },
  ];
}

export const LONG = { timeout: 600_000, every: 500 };
