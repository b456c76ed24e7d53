import type { z } from "zod";
import type { explainRoutes } from "@rollcast/shared/api/receiver-routes";
import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import type { RootRoute, Route } from "@rollcast/shared/config/routes";
import type { RolloutEvent } from "@rollcast/shared/events";
import { parseMatcher } from "../route/compile-route.ts";
import type { RouteLabels } from "../route/compile-route.ts";
import { labelsOf } from "../route/router.ts";
import type { Router } from "../route/router.ts";

type Explained = z.infer<NonNullable<(typeof explainRoutes)["response"]>>;
type EvaluatedRoute = Explained["routes"][number];

type Position = { readonly path: string; readonly receiver: string | undefined };

/** The evaluated routes in order; walks the tree exactly as the router does. */
function evaluate(route: RootRoute | Route, labels: RouteLabels, at: Position): EvaluatedRoute[] {
  const { path } = at;
  const receiver = route.receiver ?? at.receiver;
  const texts = "match" in route ? route.match : [];
  const matchers = texts.map((text) => ({ text, matches: parseMatcher(text)(labels) }));
  const matches = matchers.every((matcher) => matcher.matches);
  const self = { path, receiver, matchers, matches };
  if (!matches) return [{ ...self, ends: false }];
  const evaluated: EvaluatedRoute[] = [];
  let ends = true;
  for (const [i, child] of route.routes.entries()) {
    const children = evaluate(child, labels, {
      path: path === "" ? `${i}` : `${path}.${i}`,
      receiver,
    });
    evaluated.push(...children);
    if (children[0]?.matches !== true) continue;
    ends = false;
    if (!child.continue) break;
  }
  return [{ ...self, ends }, ...evaluated];
}

/** Explains which receivers would be notified of the event, and why. */
export function explain(
  event: RolloutEvent,
  { config, route, cluster }: { config: NotifierConfig; route: Router; cluster: string },
): Explained {
  const labels = labelsOf(event, cluster);
  const { memberships, routes, refused } = route(event);
  return {
    labels,
    deliveries: memberships.map(({ labels: group, ...membership }) => ({ ...membership, group })),
    // The annotation alone decided: no route was evaluated.
    routes:
      routes.length === 0 ? [] : evaluate(config.route, labels, { path: "", receiver: undefined }),
    refused: [...refused],
  };
}
