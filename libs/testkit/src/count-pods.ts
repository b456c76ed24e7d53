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

/** Watches the pods of a namespace. The watch ends with the API server's. */
export async function countPods(
  { url, caFile, api }: ClusterAccess & { readonly api: Api },
  namespace: string,
): Promise<PodCount> {
  const agent = new Agent({ bodyTimeout: 0, connect: { ca: readFileSync(caFile, "utf8") } });
  const { body } = await request(`${url}${paths.pod(namespace)}?watch=1&resourceVersion=0`, {
    dispatcher: agent,
    headers: { authorization: `Bearer ${tokenOf("admin")}` },
  });
  const appByUid = new Map<string, string>();
  const read = async () => {
    for await (const line of createInterface({ input: body })) {
      const { object } = JSON.parse(line) as { object: AnyObject };
      const { uid, name, labels } = object.metadata;
      if (uid !== undefined) appByUid.set(uid, labels?.app ?? name);
    }
  };
  const reading = read().catch(() => undefined);
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
      await waitFor(() => [...appByUid.values()].includes(name), { message: "the last pod" });
      await api.remove(paths.pod(namespace, name));
      const counts = new Map<string, number>();
      for (const app of appByUid.values()) counts.set(app, (counts.get(app) ?? 0) + 1);
      return counts;
    },
    async [Symbol.asyncDispose]() {
      await agent.destroy();
      await reading;
    },
  };
}
