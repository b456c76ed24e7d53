import type {
  NotifierConfig,
  Receiver as ReceiverConfig,
  RootRoute,
  Route,
  RouteLabel,
} from "@rollcast/shared/config/notifier";
import { ConfigError } from "@rollcast/shared/errors";
import { eventWord } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { Membership } from "../group/group.ts";
import { ALERT_OUTCOMES } from "../alert/alert.ts";
import { parseMatcher } from "./matcher.ts";
import type { Labels, Matcher } from "./matcher.ts";
import { severityOf } from "../message/severity.ts";
import { readNamed } from "./named-receivers.ts";
import type { Refusal } from "./named-receivers.ts";

/** Who is told of an event, in which groups, and why. */
export type Routing = {
  readonly memberships: readonly Membership[];
  /** The routes it ended at, by their paths (`0.2`, the root is empty); none where the workload's annotation alone says. */
  readonly routes: readonly string[];
  /** Names in the workload's annotation that do not count. */
  readonly refused: readonly Refusal[];
};
export type Router = (event: RolloutEvent) => Routing;

type Inherited = {
  /** Undefined: every receiver, of what people want to know of. */
  readonly receiver: string | undefined;
  readonly groupBy: readonly RouteLabel[];
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
};

/** A node with everything it inherits; `path` names it (`0.2`), the root is empty. */
export type CompiledRoute = Inherited & {
  readonly path: string;
  readonly matchers: readonly Matcher[];
  readonly continues: boolean;
  readonly routes: readonly CompiledRoute[];
};

/** What is told where no route names a receiver: ends that people want to know of, and warnings. */
/** What receivers are told without a route. `skipped` is what `mode: observe` would have rolled: whoever observes wants to know. */
const DEFAULT_OUTCOMES = new Set(["succeeded", "failed", "stalled", "throttled", "skipped"]);
const DEFAULTS: Inherited = {
  receiver: undefined,
  groupBy: ["cluster", "namespace", "outcome"],
  groupWaitMs: 10_000,
  groupIntervalMs: 60_000,
};

export function labelsOf(event: RolloutEvent, cluster: string): Labels {
  const { workload, cause, reason = "", queue = "" } = event.data;
  const { word } = eventWord(event.type);
  return {
    cluster,
    namespace: workload.namespace,
    kind: workload.kind,
    name: workload.name,
    workload: `${workload.kind}/${workload.namespace}/${workload.name}`,
    outcome: word,
    severity: severityOf(word),
    source: cause === undefined ? "" : `${cause.kind}/${cause.namespace}/${cause.name}`,
    reason,
    queue,
  };
}

function compileMatchers(route: Route, where: string, faults: string[]): Matcher[] {
  return route.match.flatMap((text) => {
    try {
      return [parseMatcher(text)];
    } catch (err) {
      faults.push(`${where}: ${err instanceof Error ? err.message : String(err)}`);
      return [];
    }
  });
}

function compileNode(
  route: RootRoute | Route,
  parent: Inherited,
  at: { path: string; where: string },
  faults: string[],
): CompiledRoute {
  const inherited: Inherited = {
    receiver: route.receiver ?? parent.receiver,
    groupBy: route.groupBy ?? parent.groupBy,
    groupWaitMs: route.groupWait ?? parent.groupWaitMs,
    groupIntervalMs: route.groupInterval ?? parent.groupIntervalMs,
  };
  let taken = false;
  const routes = route.routes.map((child, i) => {
    const where = `${at.where}.routes[${i}]`;
    if (taken) faults.push(`${where}: is never reached, a route before it takes everything`);
    taken ||= child.match.length === 0 && !child.continue;
    const path = at.path === "" ? String(i) : `${at.path}.${i}`;
    return compileNode(child, inherited, { path, where }, faults);
  });
  return {
    ...inherited,
    path: at.path,
    matchers: "match" in route ? compileMatchers(route, at.where, faults) : [],
    continues: "continue" in route && route.continue,
    routes,
  };
}

/** The tree with all inheritance done. Throws one {@link ConfigError} that names every matcher that cannot be read and every route that is never reached. */
export function compileRoute(root: RootRoute): CompiledRoute {
  const faults: string[] = [];
  const compiled = compileNode(root, DEFAULTS, { path: "", where: "notifier.route" }, faults);
  if (faults.length > 0) {
    throw new ConfigError(`routes are refused:\n${faults.map((line) => `  ${line}`).join("\n")}`);
  }
  return compiled;
}

/** The nodes that an event ends at: the first child that matches, and those after it while it says `continue`; where none does, the node itself. */
export function matchRoutes(node: CompiledRoute, labels: Labels): CompiledRoute[] {
  if (!node.matchers.every((matches) => matches(labels))) return [];
  const found: CompiledRoute[] = [];
  for (const child of node.routes) {
    const ends = matchRoutes(child, labels);
    found.push(...ends);
    if (ends.length > 0 && !child.continues) break;
  }
  return found.length > 0 ? found : [node];
}

/** What a receiver is told without a route: one that edits its messages also that a rollout began, as its end then makes no message more; one for alerts, what changes them. */
function wants({ slack, alertmanager }: ReceiverConfig, outcome: string): boolean {
  if (alertmanager !== undefined) return ALERT_OUTCOMES.has(outcome);
  if (DEFAULT_OUTCOMES.has(outcome)) return true;
  return slack?.tokenFrom !== undefined && outcome === "started";
}

function receiversOf(
  node: CompiledRoute,
  labels: Labels,
  all: readonly ReceiverConfig[],
): readonly string[] {
  if (node.receiver !== undefined) return [node.receiver];
  return all.filter((one) => wants(one, labels.outcome)).map(({ name }) => name);
}

/** The route in whose groups events are that a workload's annotation sends to a receiver. */
const ANNOTATION_ROUTE = "annotation";

function membershipOf(node: CompiledRoute, receiver: string, labels: Labels): Membership {
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
  const byName = new Map(config.receivers.map((one) => [one.name, one]));
  const told = (node: CompiledRoute, names: readonly string[], labels: Labels) =>
    names.filter((name) => !silent.has(name)).map((name) => membershipOf(node, name, labels));
  return (event) => {
    const labels = labelsOf(event, cluster);
    const named = readNamed(config, labels.namespace, event.data.notify ?? []);
    const nodes = named.alone ? [] : matchRoutes(root, labels);
    const routed = nodes.flatMap((node) =>
      told(node, receiversOf(node, labels, config.receivers), labels),
    );
    const has = new Set(routed.map(({ receiver }) => receiver));
    const names = named.receivers.filter((name) => {
      const receiver = byName.get(name);
      return receiver !== undefined && !has.has(name) && wants(receiver, labels.outcome);
    });
    const added = told({ ...root, path: ANNOTATION_ROUTE }, names, labels);
    return {
      memberships: [...routed, ...added],
      routes: nodes.map(({ path }) => path),
      refused: named.refused,
    };
  };
}
