import type { Route } from "@rollcast/shared/api/route";
import type { ApiContext } from "./context.ts";
import { impactRoute } from "./impact-route.ts";
import { requestRoutes } from "./requests.ts";
import { steeringRoutes } from "./steering.ts";
import { workloadRoutes } from "./workloads.ts";

/** Every route of the restarter. */
export function restarterRoutes(api: ApiContext): Route[] {
  return [...workloadRoutes(api), impactRoute(api), ...requestRoutes(api), ...steeringRoutes(api)];
}
