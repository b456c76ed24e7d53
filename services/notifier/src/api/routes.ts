import { explainRoutes, listReceivers, testReceiver } from "@rollcast/shared/api/receiver-routes";
import {
  dropDeadLetter,
  getDeadLetter,
  listDeadLetters,
  redriveDeadLetter,
} from "@rollcast/shared/api/dead-letter-routes";
import { serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import type { DeadLetters } from "@rollcast/nats/dead-letters";
import type { Context } from "../context.ts";
import { dropLetter, listLetters, showLetter } from "./dead-letters.ts";
import { redriveLetter } from "./redrive-letter.ts";
import { explain } from "./explain.ts";
import { listReceiverStates, sendTest } from "./receivers.ts";
import type { LastEvent } from "./receivers.ts";

export type ApiParts = {
  readonly ctx: Context;
  readonly letters: DeadLetters;
  /** The current configuration. */
  readonly config: () => NotifierConfig;
  readonly last: LastEvent;
};

/** The routes of the notifier's HTTP API. */
export function notifierRoutes({ ctx, letters, config, last }: ApiParts): ApiRoute[] {
  const { cluster } = ctx;
  return [
    serve(listReceivers, ({ query }) => listReceiverStates(ctx, { config: config(), last, query })),
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
