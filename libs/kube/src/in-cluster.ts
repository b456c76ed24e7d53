import { readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { Env } from "@rollcast/runtime/config/load";
import { fileFault } from "@rollcast/runtime/files/file-fault";
import { credentialsOf } from "./access.ts";
import type { CredentialSource } from "./access.ts";
import { KubeError } from "./kube-error.ts";

/** Where the API server is and how a pod is let in. */
export type InCluster = { readonly server: string; readonly source: CredentialSource };

const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The kubelet renews the token long before it expires; client-go reads it as often. */
const TOKEN_TTL_MS = 60_000;

async function readMounted(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (err) {
    const fault = `the pod's service account: ${file} cannot be read: ${fileFault(err, file)}`;
    throw new KubeError(0, "Credentials", fault, { cause: err });
  }
}

/**
 * The service account of the pod this runs in, or undefined outside of one
 * (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). Without the client
 * library, whose generated models cost tens of MiB and most of a start.
 */
export function findInCluster(env: Env, dir = SERVICE_ACCOUNT_DIR): InCluster | undefined {
  const host = env.KUBERNETES_SERVICE_HOST;
  const port = env.KUBERNETES_SERVICE_PORT;
  const tokenFile = join(dir, "token");
  if (host === undefined || port === undefined || !existsSync(tokenFile)) return undefined;
  let token: { text: string; readAt: number } | undefined;
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    source: {
      async read() {
        const now = performance.now();
        if (token === undefined || now - token.readAt > TOKEN_TTL_MS) {
          token = { text: (await readMounted(tokenFile)).toString("utf8").trim(), readAt: now };
        }
        const headers = { authorization: `Bearer ${token.text}` };
        return credentialsOf(headers, { ca: await readMounted(join(dir, "ca.crt")) });
      },
      reload() {
        token = undefined;
      },
    },
  };
}
