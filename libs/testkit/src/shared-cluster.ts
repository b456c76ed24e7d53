import { inject } from "vitest";
import { createApi } from "./test-api.ts";
import type { Api } from "./test-api.ts";
import type { ClusterAccess } from "./write-kubeconfig.ts";
import { tokenOf } from "./users.ts";

declare module "vitest" {
  export interface ProvidedContext {
    cluster: ClusterAccess;
  }
}

/**
 * The control plane that all integration tests of a run share. A test that must break one starts
 * its own.
 */
export function useCluster(): ClusterAccess & { readonly api: Api } {
  const access = inject("cluster");
  return { ...access, api: createApi(access.url, tokenOf("admin"), access.caFile) };
}
