import { startApi } from "@rollcast/http-api/server";
import { NOTIFIER_INFO } from "@rollcast/shared/api/receiver-routes";
import type { ApiConfig } from "@rollcast/shared/config/api";
import { NotificationEvent } from "@rollcast/shared/notification-event";
import type { Metrics } from "@rollcast/runtime/metrics";
import { openDeadLetters } from "@rollcast/nats/dead-letters";
import { readLastEvent } from "@rollcast/nats/history";
import { notificationSubject } from "@rollcast/shared/subjects";
import { notifierRoutes } from "./routes.ts";
import type { ApiParts } from "./routes.ts";
import type { LastEvent } from "./receivers.ts";

export type NotifierApiOptions = Pick<ApiParts, "ctx" | "config"> & {
  readonly api: ApiConfig;
  readonly metrics: Metrics;
  /** Why the API cannot answer requests now; undefined when it can. */
  readonly fault: () => string | undefined;
};

/** Starts the notifier's HTTP API. */
export function startNotifierApi(options: NotifierApiOptions): Promise<AsyncDisposable> {
  const { ctx, config, api, metrics, fault } = options;
  const last: LastEvent = async (outcome, receiver) => {
    const event = await readLastEvent(
      ctx.nats,
      notificationSubject(ctx.cluster, outcome, receiver),
    );
    return NotificationEvent.safeParse(event).data;
  };
  return startApi({
    ...api,
    tokenKey: "notifier.api.tokenFile",
    info: NOTIFIER_INFO,
    routes: notifierRoutes({ ctx, config, last, letters: openDeadLetters(ctx.nats) }),
    fault,
    metrics,
    logger: ctx.logger,
  });
}
