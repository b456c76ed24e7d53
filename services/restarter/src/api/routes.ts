import type { ApiRoute } from "@rollcast/shared/api/route";
import type { ApiContext } from "./api-context.ts";
import { impactRoute } from "./impact-route.ts";
import { requestRoutes } from "./request-routes.ts";
import { operationRoutes } from "./operation-routes.ts";
import { workloadRoutes } from "./workload-routes.ts";

/** Every route of the restarter. */
export function restarterRoutes(api: ApiContext): ApiRoute[] {
  return [...workloadRoutes(api), impactRoute(api), ...requestRoutes(api), ...operationRoutes(api)];
}
