import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import type { ReceiverConfig } from "@rollcast/shared/config/receivers";
import { eventOutcome } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import { ALERT_OUTCOMES } from "../alert/alert.ts";
import { severityOf } from "../message/message.ts";
import { compileRoute } from "./compile-route.ts";
import type { CompiledRoute, RouteLabels } from "./compile-route.ts";

/** The group that an event belongs to. */
export type Membership = {
  readonly receiver: string;
  /** Distinguishes routes that send to the same receiver. */
  readonly route: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How long the first event of a group waits for others; milliseconds. */
  readonly groupWaitMs: number;
  /** Minimum time between two messages of a group; milliseconds. */
  readonly groupIntervalMs: number;
};

/** Why a name in a workload's annotation is ignored. */
type Refusal = { readonly name: string; readonly reason: "Unknown" | "NotAllowed" };

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

export function labelsOf(event: RolloutEvent, cluster: string): RouteLabels {
  const { workload, cause, reason = "", queue = "" } = event.data;
  const { outcome } = eventOutcome(event.type);
  return {
    cluster,
    namespace: workload.namespace,
    kind: workload.kind,
    name: workload.name,
    workload: `${workload.kind}/${workload.namespace}/${workload.name}`,
    outcome,
    severity: severityOf(outcome),
    source: cause === undefined ? "" : `${cause.kind}/${cause.namespace}/${cause.name}`,
    reason,
    queue,
  };
}

/** The result of a workload's annotation. */
type AnnotatedReceivers = {
  /** Receivers to notify in addition to those of the route tree. */
  readonly receivers: readonly string[];
  /** Whether the route tree is ignored. */
  readonly exclusive: boolean;
  readonly refused: readonly Refusal[];
};

const NONE = "none";

/** Whether `text` matches `pattern`, in which `*` matches anything; in linear time. */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const index = text.indexOf(part, at);
    if (index < 0) return false;
    at = index + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/**
 * Reads the workload annotation `rollcast.dev/notify`. Names add receivers; `none` disables the
 * route tree. If any name is refused, the route tree stays in effect, so that somebody is notified.
 */
function readAnnotation(
  config: Pick<NotifierConfig, "annotation" | "receivers">,
  namespace: string,
  listed: readonly string[],
): AnnotatedReceivers {
  const allowed = config.annotation.namespaces.some((pattern) => matchesGlob(pattern, namespace));
  const configured = new Set(config.receivers.map(({ name }) => name));
  const names = listed.filter((name) => name !== NONE);
  const refused = names.flatMap((name): Refusal[] => {
    if (!configured.has(name)) return [{ name, reason: "Unknown" }];
    return allowed ? [] : [{ name, reason: "NotAllowed" }];
  });
  const excludesRoutes = listed.includes(NONE);
  if (excludesRoutes && !allowed) refused.push({ name: NONE, reason: "NotAllowed" });
  return {
    receivers: allowed ? names.filter((name) => configured.has(name)) : [],
    exclusive: excludesRoutes && refused.length === 0,
    refused,
  };
}

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
 * Outcomes sent without a route that names a receiver. `skipped` is what `mode: observe` would have
 * rolled, which is why one observes.
 */
const DEFAULT_OUTCOMES = new Set(["succeeded", "failed", "stalled", "throttled", "skipped"]);

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
