import process from "node:process";
import { parseArgs } from "node:util";
import { lchown, lstat } from "node:fs/promises";
import { KubeError, connectKube } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import { ConfigError } from "@rollcast/shared/errors";
import { createLogger } from "@rollcast/runtime/logger";
import { runOnce } from "@rollcast/runtime/run";
import { fileFault } from "@rollcast/runtime/files/file-fault";
import { makeCredentials } from "./credentials.ts";
import type { CredentialFiles } from "./credentials.ts";
import type { Shape } from "./key-places.ts";
import { writeKeys } from "./write-keys.ts";

/** Containers of one compose file run as different users. */
const SHARED_MODE = 0o444;
const OWN_MODE = 0o400;

function shapeOf(text: string | undefined): Shape | undefined {
  if (text === undefined || text === "services" || text === "all-in-one") return text;
  throw new ConfigError("--shape must be services or all-in-one");
}

const logger = createLogger("keys");
await runOnce(logger, async () => {
  const { values } = parseArgs({
    options: {
      secret: { type: "string" },
      print: { type: "boolean", default: false },
      dir: { type: "string" },
      shape: { type: "string" },
      shared: { type: "boolean", default: false },
      own: { type: "string", multiple: true, default: [] },
    },
  });
  const { secret, dir } = values;
  const [shape, owned] = [shapeOf(values.shape), values.own.map(parseOwnership)];
  if (secret !== undefined && values.print) {
    // JSON is YAML, and `kubectl apply -f -` takes it.
    const printed = secretOf(secret, undefined, makeCredentials());
    process.stdout.write(`${JSON.stringify(printed, null, 2)}\n`);
  } else if (secret !== undefined) {
    const namespace = process.env.POD_NAMESPACE ?? "rollcast";
    await using kube = await connectKube({ logger });
    const made = await createSecret(kube, { name: secret, namespace }, makeCredentials());
    logger.info({ secret, namespace, made }, made ? "keys created" : "keys exist, left unchanged");
  } else if (dir !== undefined) {
    const mode = values.shared ? SHARED_MODE : OWN_MODE;
    const made = await writeKeys({ dir, shape, mode });
    logger.info({ dir, made }, made.length > 0 ? "keys created" : "keys exist, left unchanged");
  } else if (owned.length === 0) {
    throw new ConfigError(
      "say where the keys go: --secret NAME [--print], or --dir DIR [--shape services|all-in-one] [--shared] [--own UID:GID=FOLDER]",
    );
  }
  for (const ownership of owned) {
    const given = await changeOwner(ownership);
    const sentence = given
      ? "folder's owner changed"
      : "folder belongs to its user, left unchanged";
    logger.info({ ...ownership, given }, sentence);
  }
});

/**
 * The Secret as an object of the Kubernetes API. It is immutable: half-changed keys would lock
 * services out.
 */
function secretOf(name: string, namespace: string | undefined, credentials: CredentialFiles) {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name,
      namespace,
      labels: { "app.kubernetes.io/part-of": "rollcast" },
    },
    type: "Opaque",
    immutable: true,
    stringData: credentials,
  };
}

/**
 * Creates the Secret in one request, so that it is never incomplete. Returns false if it exists; it
 * is then neither changed nor read.
 */
async function createSecret(
  kube: KubeClient,
  where: { name: string; namespace: string },
  credentials: CredentialFiles,
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

/** A folder and the numeric ids of its future owner. */
type Ownership = { readonly uid: number; readonly gid: number; readonly folder: string };

/** Reads `UID:GID=FOLDER`. Throws {@link ConfigError}. */
export function parseOwnership(text: string): Ownership {
  const [, uid, gid, folder] = /^(\d{1,9}):(\d{1,9})=(.+)$/.exec(text) ?? [];
  if (folder === undefined) throw new ConfigError("--own must be like --own 1000:1000=/data");
  return { uid: Number(uid), gid: Number(gid), folder };
}

/**
 * Changes the owner of the folder but not of its content; returns false if nothing had to change.
 * Throws {@link ConfigError}.
 */
export async function changeOwner({ uid, gid, folder }: Ownership): Promise<boolean> {
  const fail = (err: unknown) => {
    const fault = fileFault(err, folder);
    throw new ConfigError(`${folder} cannot be given to ${uid}:${gid}: ${fault}`, { cause: err });
  };
  const stats = await lstat(folder).catch(fail);
  if (!stats.isDirectory()) {
    throw new ConfigError(`${folder} cannot be given to ${uid}:${gid}: it is no folder`);
  }
  if (stats.uid === uid && stats.gid === gid) return false;
  await lchown(folder, uid, gid).catch(fail);
  return true;
}
