import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { KubeError } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import { retry } from "@rollcast/async/retry";
import type { Env } from "@rollcast/runtime/config/load";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "@rollcast/runtime/files/file-fault";
import type { Logger } from "@rollcast/runtime/logger";
import { MIN_KEY_BYTES, installationKey } from "../model/transform.ts";
import type { InstallationKey } from "../model/transform.ts";

export const KEY_SECRET = "rollcast-installation-key";
const KEY_FIELD = "key";
const SERVICE_ACCOUNT_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/**
 * Rollcast's own namespace: `ROLLCAST_NAMESPACE`, `POD_NAMESPACE`, the namespace of the pod's
 * service account, or `rollcast`.
 */
export async function ownNamespace(env: Env): Promise<string> {
  const configured = env.ROLLCAST_NAMESPACE ?? env.POD_NAMESPACE;
  if (configured !== undefined && configured !== "") return configured;
  const mounted = await readFile(SERVICE_ACCOUNT_NAMESPACE, "utf8").catch(() => "");
  return mounted.trim() || "rollcast";
}

function checked(bytes: Buffer, where: string): InstallationKey {
  if (bytes.length < MIN_KEY_BYTES) {
    throw new ConfigError(
      `the installation key in ${where} has ${bytes.length} bytes: it needs at least ${MIN_KEY_BYTES}`,
    );
  }
  return installationKey(bytes);
}

/**
 * Reads the key from a file, as raw bytes. Throws {@link ConfigError} if it is missing or too
 * short.
 */
export async function readKeyFile(file: string): Promise<InstallationKey> {
  const bytes = await readFile(file).catch((err: unknown) => {
    throw new ConfigError(`installationKey.file: ${file} cannot be read: ${fileFault(err, file)}`, {
      cause: err,
    });
  });
  return checked(bytes, file);
}

type KeySecret = { data?: Readonly<Record<string, string>> };

async function readKeySecret(client: KubeClient, path: string): Promise<KeySecret | undefined> {
  try {
    return await client.request<KeySecret>({ method: "GET", path: `${path}/${KEY_SECRET}` });
  } catch (err) {
    if (err instanceof KubeError && err.status === 404) return undefined;
    throw err;
  }
}

/** Creates the Secret; the API server's answer if it is there, as where a replica was faster. */
async function createKeySecret(client: KubeClient, path: string): Promise<KubeError | undefined> {
  try {
    await client.request({
      method: "POST",
      path,
      query: { fieldManager: "rollcast" },
      body: {
        apiVersion: "v1",
        kind: "Secret",
        metadata: {
          name: KEY_SECRET,
          labels: { "app.kubernetes.io/part-of": "rollcast" },
        },
        type: "Opaque",
        immutable: true,
        data: { [KEY_FIELD]: randomBytes(MIN_KEY_BYTES).toString("base64") },
      },
    });
    return undefined;
  } catch (err) {
    if (err instanceof KubeError && err.status === 409) return err;
    throw err;
  }
}

/**
 * Reads the key from the Secret `rollcast-installation-key` in `namespace` and creates the Secret
 * if it is missing; of several replicas the API server lets one create it. Throws {@link
 * ConfigError} if the namespace does not exist or the key in the Secret is missing or too short.
 */
export async function ensureKeySecret(
  client: KubeClient,
  namespace: string,
): Promise<InstallationKey> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
  const read = async () => {
    const secret = await readKeySecret(client, path);
    if (secret === undefined) return undefined;
    const where = `Secret ${namespace}/${KEY_SECRET}`;
    return checked(Buffer.from(secret.data?.[KEY_FIELD] ?? "", "base64"), where);
  };
  const present = await read();
  if (present !== undefined) return present;
  try {
    const conflict = await createKeySecret(client, path);
    const made = await read();
    if (made !== undefined) return made;
    // A webhook or a quota may say 409 too.
    throw conflict ?? new Error(`Secret ${namespace}/${KEY_SECRET} was deleted as it was made`);
  } catch (err) {
    if (!(err instanceof KubeError) || err.status !== 404) throw err;
    throw new ConfigError(
      `namespace ${namespace}, where the installation key is kept, does not exist: create it, or name another in ROLLCAST_NAMESPACE`,
      { cause: err },
    );
  }
}

/**
 * Reads the installation key from `file` or from the Secret, retrying until the API server answers
 * or `signal` fires. Throws {@link ConfigError} if retrying cannot help.
 */
export async function obtainKey(options: {
  file: string | undefined;
  client: KubeClient;
  env: Env;
  logger: Logger;
  signal: AbortSignal;
}): Promise<InstallationKey> {
  const { file, client, logger, signal } = options;
  if (file !== undefined) return readKeyFile(file);
  const namespace = await ownNamespace(options.env);
  return retry(() => ensureKeySecret(client, namespace), {
    backoff: { initial: 500, max: 10_000 },
    signal,
    onFailure(err, attempt) {
      if (!(err instanceof KubeError)) throw err;
      logger.warn({ err, namespace, attempt }, "installation key not available, retrying");
    },
  });
}
