import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import type { ReceiverConfig } from "@rollcast/shared/config/receivers";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { Membership } from "../model/membership.ts";
import { ALERT_OUTCOMES } from "../alert/alert.ts";
import type { RouteLabels } from "./matcher.ts";
import { readAnnotation } from "./named-receivers.ts";
import type { Refusal } from "./named-receivers.ts";
import type { CompiledRoute } from "./compile-route.ts";
import { DEFAULT_OUTCOMES, compileRoute } from "./compile-route.ts";
import { labelsOf } from "./labels.ts";

/** Which receivers an event is sent to, in which groups, and why. */
export type Routing = {
  readonly memberships: readonly Membership[];
  /**
   * The matched routes by path (`0.2`, empty for the root); none when the workload's annotation
   * alone decides.
   */
  readonly routes: readonly string[];
  /** Names in the workload's annotation that are ignored. */
  readonly refused: readonly Refusal[];
};

export type Router = (event: RolloutEvent) => Routing;

/**
 * The routes that an event matches: the first matching child, and further ones while they say
 * `continue`; the route itself when no child matches.
 */
export function matchRoutes(node: CompiledRoute, labels: RouteLabels): CompiledRoute[] {
  if (!node.matchers.every((matches) => matches(labels))) return [];
  const matchedRoutes: CompiledRoute[] = [];
  for (const child of node.routes) {
    const below = matchRoutes(child, labels);
    matchedRoutes.push(...below);
    if (below.length > 0 && !child.continues) break;
  }
  return matchedRoutes.length > 0 ? matchedRoutes : [node];
}

/**
 * Whether a receiver wants an outcome when no route names it. One that edits its messages also
 * wants the start of a rollout, since the end then causes no further message; one for alerts wants
 * what changes them.
 */
function accepts({ slack, alertmanager }: ReceiverConfig, outcome: string): boolean {
  if (alertmanager !== undefined) return ALERT_OUTCOMES.has(outcome);
  if (DEFAULT_OUTCOMES.has(outcome)) return true;
  return slack?.tokenFrom !== undefined && outcome === "started";
}

function receiversOf(
  node: CompiledRoute,
  labels: RouteLabels,
  all: readonly ReceiverConfig[],
): readonly string[] {
  if (node.receiver !== undefined) return [node.receiver];
  return all.filter((receiver) => accepts(receiver, labels.outcome)).map(({ name }) => name);
}

/** The route of groups whose events were sent to a receiver by a workload's annotation. */
const ANNOTATION_ROUTE = "annotation";

function membershipOf(node: CompiledRoute, receiver: string, labels: RouteLabels): Membership {
  return {
    receiver,
    route: node.path,
    labels: Object.fromEntries(node.groupBy.map((label) => [label, labels[label]])),
    groupWaitMs: node.groupWaitMs,
    groupIntervalMs: node.groupIntervalMs,
  };
}

export function createRouter(config: NotifierConfig, cluster: string): Router {
  const root = compileRoute(config.route);
  const silent = new Set(
    config.receivers.flatMap(({ name, none }) => (none === undefined ? [] : [name])),
  );
  const byName = new Map(config.receivers.map((receiver) => [receiver.name, receiver]));
  const membershipsOf = (node: CompiledRoute, names: readonly string[], labels: RouteLabels) =>
    names.filter((name) => !silent.has(name)).map((name) => membershipOf(node, name, labels));
  return (event) => {
    const labels = labelsOf(event, cluster);
    const annotated = readAnnotation(config, labels.namespace, event.data.notify ?? []);
    const nodes = annotated.exclusive ? [] : matchRoutes(root, labels);
    const routed = nodes.flatMap((node) =>
      membershipsOf(node, receiversOf(node, labels, config.receivers), labels),
    );
    const routedTo = new Set(routed.map(({ receiver }) => receiver));
    const names = annotated.receivers.filter((name) => {
      const receiver = byName.get(name);
      return receiver !== undefined && !routedTo.has(name) && accepts(receiver, labels.outcome);
    });
    const added = membershipsOf({ ...root, path: ANNOTATION_ROUTE }, names, labels);
    return {
      memberships: [...routed, ...added],
      routes: nodes.map(({ path }) => path),
      refused: annotated.refused,
    };
  };
}
