import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import { recordKey } from "@rollcast/shared/subjects";
import { paths } from "@rollcast/testkit/objects";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { z } from "zod";
import type { Fleet } from "./fleet.ts";
import { connectAs } from "./installation.ts";
import type { Node } from "./kubelet.ts";

const SERVICES = ["watcher", "restarter", "notifier"];

type PodStatus = { conditions?: { type: string; status: string }[] };

/** The pods of the services, with the tags of their images. */
async function servicePods(
  node: Node,
): Promise<{ readonly tag: string; readonly isReady: boolean }[]> {
  const { items } = await node.api.get<{ items: AnyObject[] }>(paths.pod(node.namespace));
  return items.flatMap(({ metadata, spec, status }) => {
    const name = metadata.labels?.["app.kubernetes.io/component"] ?? "";
    if (!SERVICES.includes(name)) return [];
    const [container] = (spec as { containers: { image: string }[] }).containers;
    const { conditions = [] } = status as PodStatus;
    const isReady = conditions.some(
      (condition) => condition.type === "Ready" && condition.status === "True",
    );
    return [{ tag: container?.image.split(":").at(-1) ?? "", isReady }];
  });
}

/** Waits until so many services have a pod of this tag that is ready. */
export async function readyPods(node: Node, tag: string, count: number): Promise<void> {
  await waitFor(
    async () => {
      const pods = await servicePods(node);
      return pods.filter((pod) => pod.tag === tag && pod.isReady).length >= count;
    },
    { message: `${count} services that are ${tag} and ready`, timeout: 120_000 },
  );
}

/** Waits until the pods of every service are of this tag and ready, and no other one is left. */
export async function servicesAre(node: Node, tag: string): Promise<void> {
  await waitFor(
    async () => {
      const pods = await servicePods(node);
      return pods.length === SERVICES.length && pods.every((pod) => pod.tag === tag && pod.isReady);
    },
    { message: `every service to be ${tag}`, timeout: 180_000, every: 200 },
  );
}

/** Connects as the restarter, who may read records and events. */
export async function connectAsRestarter(node: Node): Promise<Nats> {
  const secret = await node.api.get<AnyObject>(
    paths.secret(node.namespace, "rollcast-credentials"),
  );
  const { "nats-restarter.nk": seed = "" } = secret.data as Record<string, string>;
  const file = join(node.dir, "restarter.nk");
  await writeFile(file, Buffer.from(seed, "base64"), { mode: 0o600 });
  return connectAs(node, { user: "restarter", file }, 60_000);
}

/** Waits until the record of each workload is in this phase, with nothing to publish left. */
export async function recordsAre(
  nats: Nats,
  { kind, namespace }: Fleet,
  wanted: Readonly<Record<string, string>>,
): Promise<void> {
  const Record = z.object({ phase: z.string(), outbox: z.array(z.unknown()) });
  const records = await openKv(nats, "workloads", Record);
  for (const [name, phase] of Object.entries(wanted)) {
    await waitFor(
      async () => {
        const entry = await records.get(
          recordKey("default", { kind: kind(name), namespace, name }),
        );
        return entry?.value.phase === phase && entry.value.outbox.length === 0;
      },
      { message: `the record of ${name} to be ${phase}`, timeout: 120_000, every: 200 },
    );
  }
}
