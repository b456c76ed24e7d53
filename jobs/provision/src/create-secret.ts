import { KubeError } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import type { CredentialFiles } from "./credentials.ts";

/**
 * The Secret as an object of the Kubernetes API. It is immutable: half-changed keys would lock
 * services out.
 */
export function secretOf(
  name: string,
  namespace: string | undefined,
  credentials: CredentialFiles,
) {
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
export async function createSecret(
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
