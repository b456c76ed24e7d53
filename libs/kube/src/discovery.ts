import type { KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import type { ReflectedResource } from "./resource.ts";
import { apiPath } from "./api-path.ts";

type ApiResourceList = { readonly resources?: readonly { name?: unknown }[] };

function hasStatus(err: unknown, status: number): boolean {
  return err instanceof KubeError && err.status === status;
}

/**
 * Whether the API server serves a resource now; it does not where its CRD is not installed. Every
 * authenticated user may ask.
 * https://kubernetes.io/docs/concepts/overview/kubernetes-api/#unaggregated-discovery
 */
export async function isServed(
  client: KubeClient,
  { group, version, plural }: Pick<ReflectedResource, "group" | "version" | "plural">,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const path = `/apis/${group}/${version}`;
    const list = await client.request<ApiResourceList>({ method: "GET", path, signal });
    return list.resources?.some(({ name }) => name === plural) === true;
  } catch (err) {
    if (hasStatus(err, 404)) return false;
    throw err;
  }
}

/** Whether the credentials let a resource be listed. */
export async function mayList(
  client: KubeClient,
  resource: ReflectedResource,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const path = apiPath(resource, resource.namespace);
    await client.request({ method: "GET", path, query: { limit: "1" }, signal });
    return true;
  } catch (err) {
    if (hasStatus(err, 403)) return false;
    throw err;
  }
}
