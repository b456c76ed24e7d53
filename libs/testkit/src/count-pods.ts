import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Agent, request } from "undici";
import { paths } from "./objects.ts";
import type { AnyObject, Api } from "./test-api.ts";
import { tokenOf } from "./users.ts";
import { waitFor } from "./wait.ts";
import type { ClusterAccess } from "./write-kubeconfig.ts";

/** Knows every pod that was made in a namespace since, also those that are gone. */
export type PodCount = AsyncDisposable & {
  /** How many pods with the label `app` of each name were made so far. */
  made(): Promise<ReadonlyMap<string, number>>;
};

/** Watches the pods of a namespace, again where the API server ends a watch that falls behind. */
export async function countPods(
  { url, caFile, api }: ClusterAccess & { readonly api: Api },
  namespace: string,
): Promise<PodCount> {
  const agent = new Agent({ bodyTimeout: 0, connect: { ca: readFileSync(caFile, "utf8") } });
  const appByUid = new Map<string, string>();
  let version = "0";
  const open = () =>
    request(`${url}${paths.pod(namespace)}?watch=1&resourceVersion=${version}`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${tokenOf("admin")}` },
    });
  let watch = await open();
  const read = async () => {
    while (!agent.destroyed) {
      for await (const line of createInterface({ input: watch.body })) {
        const { type, object } = JSON.parse(line) as { type: string; object: AnyObject };
        if (type === "ERROR") throw new Error(`the watch of pods has failed: ${line}`);
        const { uid, name, labels, resourceVersion } = object.metadata;
        if (uid !== undefined) appByUid.set(uid, labels?.app ?? name);
        version = resourceVersion ?? version;
      }
      watch = await open();
    }
  };
  const reading = read().catch((err: unknown) => {
    if (!agent.destroyed) throw err;
  });
  reading.catch(() => undefined);
  return {
    async made() {
      // What was made before this pod is known with it.
      const name = `last-${randomBytes(4).toString("hex")}`;
      const containers = [{ name: "app", image: "example/app:1" }];
      const metadata = { name };
      await api.create(paths.pod(namespace), {
        apiVersion: "v1",
        kind: "Pod",
        metadata,
        spec: { containers },
      });
      const isSeen = waitFor(() => [...appByUid.values()].includes(name), {
        message: "the last pod",
      });
      await Promise.race([isSeen, reading]);
      await api.remove(paths.pod(namespace, name));
      const counts = new Map<string, number>();
      for (const app of appByUid.values()) counts.set(app, (counts.get(app) ?? 0) + 1);
      return counts;
    },
    async [Symbol.asyncDispose]() {
      await agent.destroy();
      await reading.catch(() => undefined);
    },
  };
}
