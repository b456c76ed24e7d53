import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KubeError } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import type { Credentials } from "./credentials.ts";

/** The Secret as an object of the Kubernetes API. It cannot be changed: half-changed keys would shut services out. */
export function secretOf(name: string, namespace: string | undefined, credentials: Credentials) {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { "app.kubernetes.io/part-of": "rollcast" },
    },
    type: "Opaque",
    immutable: true,
    stringData: credentials,
  };
}

/** Makes the Secret in one request, so that there is never half of it; false where one is there, which is left alone and not read. */
export async function createSecret(
  kube: KubeClient,
  where: { name: string; namespace: string },
  credentials: Credentials,
): Promise<boolean> {
  const { name, namespace } = where;
  try {
    await kube.request({
      method: "POST",
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`,
      query: { fieldManager: "rollcast" },
      body: secretOf(name, namespace, credentials),
    });
    return true;
  } catch (err) {
    if (err instanceof KubeError && err.status === 409) return false;
    throw err;
  }
}

/** What the servers are told; each in the server's folder under this name. */
const SERVER_FILE = /^(?:(nats)-(keys(?:-all-in-one)?\.conf)|(redis)-(.+\.sha256))$/;
const USER_FILE = /^(nats|redis)-([a-z-]+)(\.nk)?$/;

/** Folder and name of a file, so that each holder is given one folder: `watcher/nats.nk`, `restarter/redis`, `nats/nats-keys.conf`, `redis/restarter.sha256`. */
export function placeOf(name: string): readonly [folder: string, file: string] {
  if (name === "installation-key") return ["watcher", name];
  const [, nats, , redis, hash] = SERVER_FILE.exec(name) ?? [];
  if (nats !== undefined) return [nats, name];
  if (redis !== undefined && hash !== undefined) return [redis, hash];
  const [, server, user, suffix = ""] = USER_FILE.exec(name) ?? [];
  if (server === undefined || user === undefined) throw new Error(`${name} has no holder`);
  return [user, `${server}${suffix}`];
}

/** Writes the files below `dir`, as {@link placeOf} says; false where they are there, which are left alone. */
export async function writeFiles(
  dir: string,
  credentials: Credentials,
  mode: number,
): Promise<boolean> {
  // Written last, so where it is, all are.
  const last = join(dir, ...placeOf("nats-keys.conf"));
  if (await stat(last).catch(() => undefined)) return false;
  for (const [name, content] of Object.entries(credentials)) {
    const [folder, file] = placeOf(name);
    await mkdir(join(dir, folder), { recursive: true });
    const path = join(dir, folder, file);
    if (path !== last) await writeFile(path, content, { mode });
  }
  await writeFile(`${last}.tmp`, credentials["nats-keys.conf"] ?? "", { mode });
  await rename(`${last}.tmp`, last);
  return true;
}
