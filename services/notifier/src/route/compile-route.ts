import type { RootRoute, Route, RouteLabel } from "@rollcast/shared/config/routes";
import { ConfigError } from "@rollcast/shared/errors";
import { parseMatcher } from "./matcher.ts";
import type { Matcher } from "./matcher.ts";

type Inherited = {
  /** Undefined: every receiver, for the default outcomes. */
  readonly receiver: string | undefined;
  readonly groupBy: readonly RouteLabel[];
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
};

/** A route with everything it inherits; `path` names it (`0.2`), empty for the root. */
export type CompiledRoute = Inherited & {
  readonly path: string;
  readonly matchers: readonly Matcher[];
  readonly continues: boolean;
  readonly routes: readonly CompiledRoute[];
};

/**
 * Outcomes sent without a route that names a receiver. `skipped` is what `mode: observe` would have
 * rolled, which is why one observes.
 */
export const DEFAULT_OUTCOMES = new Set(["succeeded", "failed", "stalled", "throttled", "skipped"]);

const DEFAULTS: Inherited = {
  receiver: undefined,
  groupBy: ["cluster", "namespace", "outcome"],
  groupWaitMs: 10_000,
  groupIntervalMs: 60_000,
};

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
  let shadowed = false;
  const routes = route.routes.map((child, i) => {
    const where = `${at.where}.routes[${i}]`;
    if (shadowed) faults.push(`${where}: is unreachable: an earlier route matches everything`);
    shadowed ||= child.match.length === 0 && !child.continue;
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

/**
 * Compiles the tree and resolves inheritance. Throws one {@link ConfigError} that names every
 * invalid matcher and every unreachable route.
 */
export function compileRoute(root: RootRoute): CompiledRoute {
  const faults: string[] = [];
  const compiled = compileNode(root, DEFAULTS, { path: "", where: "notifier.route" }, faults);
  if (faults.length > 0) {
    throw new ConfigError(`invalid routes:\n${faults.map((line) => `  ${line}`).join("\n")}`);
  }
  return compiled;
}
