/**
 * A metric family in Prometheus' text format:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export type Family = {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
};

/** One line; of a histogram, `name` ends in `_bucket`, `_sum` or `_count`. */
export type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>> };

function pairs(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );
}

/** Labels that Prometheus adds. */
export const SCRAPED: ReadonlySet<string> = new Set(["namespace", "pod", "job", "instance"]);

/** Labels that a PromQL expression groups the series of a metric by. */
export function groupedBy(expr: string, metric: string): string[] {
  const groups = new RegExp(`\\bby \\(([^)]*)\\) \\((?:\\s|\\w+\\()*${metric}\\b`, "g");
  return [...expr.matchAll(groups)].flatMap(([, names = ""]) => names.split(/, */));
}

/** What an expression asks of a metric's own labels by `=`. */
export function matchersOf(expr: string, metric: string): [label: string, value: string][] {
  const selectors = expr.matchAll(new RegExp(`\\b${metric}\\{([^}]*)\\}`, "g"));
  return [...selectors].flatMap(([, inside = ""]) => Object.entries(pairs(inside)));
}

/** The families of a `/metrics` answer. */
export function families(text: string): Family[] {
  const helps = new Map<string, string>();
  const parsed: (Family & { samples: Sample[] })[] = [];
  for (const line of text.split("\n")) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === "HELP") helps.set(name, rest);
    if (keyword === "TYPE") {
      parsed.push({ name, type: rest, help: helps.get(name) ?? "", samples: [] });
    }
    const [, sample, inside = ""] = /^([a-z0-9_]+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (sample !== undefined) parsed.at(-1)?.samples.push({ name: sample, labels: pairs(inside) });
  }
  return parsed;
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
