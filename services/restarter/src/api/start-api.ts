import { startApi } from "@rollcast/http-api/server";
import { RESTARTER_INFO } from "@rollcast/shared/api/workload-routes";
import type { ApiConfig } from "@rollcast/shared/config/api";
import { RolloutEvent, RolloutOutcome } from "@rollcast/shared/events";
import type { Metrics } from "@rollcast/runtime/metrics";
import type { Nats } from "@rollcast/nats/connect";
import { readLastEvent } from "@rollcast/nats/history";
import { rolloutSubject } from "@rollcast/shared/subjects";
import type { ApiRoute } from "@rollcast/shared/api/route";
import type { ApiContext } from "./api-context.ts";
import { splitKey } from "../model/workload.ts";
import { impactRoute } from "./impact-route.ts";
import { requestRoutes } from "./request-routes.ts";
import { operationRoutes } from "./operation-routes.ts";
import { workloadRoutes } from "./workload-routes.ts";

type OpenApiOptions = Omit<ApiContext, "rolloutEvents"> & {
  readonly nats: Nats;
  readonly config: ApiConfig;
  readonly metrics: Metrics;
  readonly fault: () => string | undefined;
};

function rolloutEvents(nats: Nats, cluster: string): ApiContext["rolloutEvents"] {
  return async (key) => {
    const subjects = RolloutOutcome.options.map((outcome) =>
      rolloutSubject(cluster, outcome, splitKey(key)),
    );
    const events = await Promise.all(subjects.map((subject) => readLastEvent(nats, subject)));
    return events
      .flatMap((event) => RolloutEvent.safeParse(event).data ?? [])
      .toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  };
}

/** Opens the restarter's HTTP API. */
export function openRestarterApi(options: OpenApiOptions): ReturnType<typeof startApi> {
  const { nats, config, metrics, fault, ...rest } = options;
  const api: ApiContext = { ...rest, rolloutEvents: rolloutEvents(nats, rest.ctx.cluster) };
  return startApi({
    listen: config.listen,
    tokenFile: config.tokenFile,
    tokenKey: "restarter.api.tokenFile",
    info: RESTARTER_INFO,
    routes: restarterRoutes(api),
    fault,
    metrics,
    logger: rest.ctx.logger,
  });
}

/** Every route of the restarter. */
export function restarterRoutes(api: ApiContext): ApiRoute[] {
  return [...workloadRoutes(api), impactRoute(api), ...requestRoutes(api), ...operationRoutes(api)];
}
