import { startApi } from "@rollcast/http-api/server";
import { openDeadLetters } from "@rollcast/nats/dead-letters";
import type { DeadLetters } from "@rollcast/nats/dead-letters";
import type { Metrics } from "@rollcast/runtime/metrics";
import {
  dropDeadLetter,
  getDeadLetter,
  listDeadLetters,
  redriveDeadLetter,
} from "@rollcast/shared/api/dead-letter-routes";
import {
  NOTIFIER_INFO,
  explainRoutes,
  listReceivers,
  testReceiver,
} from "@rollcast/shared/api/receiver-routes";
import { serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import type { ApiConfig } from "@rollcast/shared/config/api";
import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import type { Context } from "../context.ts";
import { dropLetter, listLetters, redriveLetter, showLetter } from "./dead-letters.ts";
import { explain } from "./explain.ts";
import { listReceiverStates, sendTest } from "./receivers.ts";

export type ApiParts = {
  readonly ctx: Context;
  readonly letters: DeadLetters;
  /** The current configuration. */
  readonly config: () => NotifierConfig;
};

/** The routes of the notifier's HTTP API. */
export function notifierRoutes({ ctx, letters, config }: ApiParts): ApiRoute[] {
  const { cluster } = ctx;
  return [
    serve(listReceivers, ({ query }) => listReceiverStates(ctx, config(), query)),
    serve(testReceiver, ({ params, signal }) => sendTest(ctx, params.name, signal)),
    serve(explainRoutes, ({ body }) =>
      explain(body.event, { config: config(), route: ctx.registry.route, cluster }),
    ),
    serve(listDeadLetters, async ({ query }) => {
      const { items, next } = await listLetters(ctx, letters, query);
      return { items: [...items], next };
    }),
    serve(getDeadLetter, ({ params }) => showLetter(ctx, letters, params.id)),
    serve(redriveDeadLetter, ({ params }) => redriveLetter(ctx, letters, params.id)),
    serve(dropDeadLetter, ({ params }) => dropLetter(ctx, letters, params.id)),
  ];
}

export type NotifierApiOptions = Pick<ApiParts, "ctx" | "config"> & {
  readonly api: ApiConfig;
  readonly metrics: Metrics;
  /** Why the API cannot answer requests now; undefined when it can. */
  readonly fault: () => string | undefined;
};

/** Starts the notifier's HTTP API. */
export function startNotifierApi(options: NotifierApiOptions): Promise<AsyncDisposable> {
  const { ctx, config, api, metrics, fault } = options;
  return startApi({
    ...api,
    tokenKey: "notifier.api.tokenFile",
    info: NOTIFIER_INFO,
    routes: notifierRoutes({ ctx, config, letters: openDeadLetters(ctx.nats) }),
    fault,
    metrics,
    logger: ctx.logger,
  });
}
