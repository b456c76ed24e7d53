import { RE2JS } from "re2js";
import { ROUTE_LABELS } from "@rollcast/shared/config/routes";
import type { RootRoute, Route, RouteLabel } from "@rollcast/shared/config/routes";
import { ConfigError } from "@rollcast/shared/errors";
import { SEVERITIES } from "../message/message.ts";

/** The labels of an event; a label that it lacks is the empty string. */
export type RouteLabels = Readonly<Record<RouteLabel, string>>;
export type Matcher = (labels: RouteLabels) => boolean;

const MATCHER = /^\s*([a-z]+)\s*(==|!=|=~|!~|>=|in\b)\s*(.+?)\s*$/s;
const MAX_PATTERN = 500;
const SEVERITY_NAMES: readonly string[] = SEVERITIES;

function parseQuoted(text: string, fault: (why: string) => never): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "string") return value;
  } catch {
    // Reported below.
  }
  return fault('the value must be in double quotes, like "shop"');
}

function parseList(text: string, fault: (why: string) => never): string[] {
  try {
    const value: unknown = JSON.parse(text);
    if (
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((item) => typeof item === "string")
    ) {
      return value;
    }
  } catch {
    // Reported below.
  }
  return fault('after "in" there must be a list like ["failed", "stalled"]');
}

/**
 * Matches the whole string in linear time (RE2), so that no pattern and no name can block the
 * notifier.
 */
function compilePattern(text: string, fault: (why: string) => never): (value: string) => boolean {
  if (text.length > MAX_PATTERN) fault(`the pattern is longer than ${MAX_PATTERN} characters`);
  try {
    const compiled = RE2JS.compile(text);
    return (value) => compiled.matches(value);
  } catch (err) {
    return fault(`the pattern is not valid in RE2: ${String(err)}`);
  }
}

function atLeast(value: string, fault: (why: string) => never): (label: string) => boolean {
  const least = SEVERITY_NAMES.indexOf(value);
  if (least < 0) fault(`a severity must be one of ${SEVERITY_NAMES.join(", ")}`);
  return (label) => SEVERITY_NAMES.indexOf(label) >= least;
}

/**
 * Parses a matcher such as `namespace =~ "shop(-.*)?"`. Throws {@link ConfigError} that says what
 * is wrong.
 */
export function parseMatcher(text: string): Matcher {
  const fault = (why: string): never => {
    throw new ConfigError(`matcher ${JSON.stringify(text.slice(0, 100))}: ${why}`);
  };
  const [, name = "", operator = "", value = ""] = MATCHER.exec(text) ?? [];
  const label = ROUTE_LABELS.find((item) => item === name);
  if (operator === "") return fault('must be like outcome == "failed"');
  if (label === undefined) return fault(`the label must be one of ${ROUTE_LABELS.join(", ")}`);
  const on =
    (test: (value: string) => boolean): Matcher =>
    (labels) =>
      test(labels[label]);
  if (operator === "in") {
    const values = new Set(parseList(value, fault));
    return on((item) => values.has(item));
  }
  const operand = parseQuoted(value, fault);
  if (operator === "==") return on((item) => item === operand);
  if (operator === "!=") return on((item) => item !== operand);
  if (operator === ">=") {
    if (label !== "severity") return fault(">= is for severity only");
    return on(atLeast(operand, fault));
  }
  const matches = compilePattern(operand, fault);
  return on((item) => matches(item) === (operator === "=~"));
}

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
