import { RE2JS } from "re2js";
import { ROUTE_LABELS } from "@rollcast/shared/config/routes";
import type { RouteLabel } from "@rollcast/shared/config/routes";
import { ConfigError } from "@rollcast/shared/errors";

/** The labels of an event; a label that it lacks is the empty string. */
export type RouteLabels = Readonly<Record<RouteLabel, string>>;
export type Matcher = (labels: RouteLabels) => boolean;

const MATCHER = /^\s*([a-z]+)\s*(==|!=|=~|!~|>=|in\b)\s*(.+?)\s*$/s;
const MAX_PATTERN = 500;
const SEVERITIES = ["info", "warning", "error"];

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
  const least = SEVERITIES.indexOf(value);
  if (least < 0) fault(`a severity must be one of ${SEVERITIES.join(", ")}`);
  return (label) => SEVERITIES.indexOf(label) >= least;
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
