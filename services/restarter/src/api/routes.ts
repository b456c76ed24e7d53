import type { Route } from "@rollcast/shared/api/route";
import type { ApiContext } from "./context.ts";
import { impactRoute } from "./impact-route.ts";
import { requestRoutes } from "./request-routes.ts";
import { steeringRoutes } from "./operation-routes.ts";
import { workloadRoutes } from "./workload-routes.ts";

/** Every route of the restarter. */
export function restarterRoutes(api: ApiContext): Route[] {
  return [...workloadRoutes(api), impactRoute(api), ...requestRoutes(api), ...steeringRoutes(api)];
}
