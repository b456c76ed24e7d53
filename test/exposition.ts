/** A metric family as Prometheus' text format tells of it: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export type Family = { readonly name: string; readonly type: string; readonly help: string };

/** The families of a `/metrics` answer. */
export function families(text: string): Family[] {
  const helps = new Map<string, string>();
  const found: Family[] = [];
  for (const line of text.split("\n")) {
    const [, word, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (word === "HELP") helps.set(name, rest);
    if (word === "TYPE") found.push({ name, type: rest, help: helps.get(name) ?? "" });
  }
  return found;
}

/** Every name that a query may use: a histogram has three. */
export function seriesNames({ name, type }: Family): string[] {
  if (type !== "histogram") return [name];
  return [`${name}_bucket`, `${name}_sum`, `${name}_count`];
}

/** Names of metrics in a PromQL expression, as far as they are Rollcast's or Node's. */
export function metricsIn(expr: string): string[] {
  return [...expr.matchAll(/\b(?:rollcast|process|nodejs)_[a-z0-9_]+/g)].map(([name]) => name);
}
