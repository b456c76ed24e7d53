import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

/**
 * A service's own metrics registry, with Node's default metrics; disposed of by nobody: it is plain
 * memory.
 */
export type Metrics = {
  counter<L extends string>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  gauge<L extends string>(
    name: string,
    help: string,
    labels?: readonly L[],
    collect?: (gauge: Gauge<L>) => void | Promise<void>,
  ): Gauge<L>;
  histogram<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    buckets: readonly number[],
  ): Histogram<L>;
  /**
   * Metrics of one of several services in this process: theirs may have the same names, and each
   * carries the label `component`.
   */
  component(name: string): Metrics;
  /** The text exposition of all metrics, those of components included. */
  text(): Promise<string>;
  readonly contentType: string;
};

export type { Counter, Gauge, Histogram } from "prom-client";

/** Seconds, for latencies from a millisecond to half an hour. */
export const LATENCY_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
  1800,
] as const;

/**
 * One exposition of several: each metric's HELP and TYPE once, before the samples of all
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */
function joinTexts(texts: readonly string[]): string {
  const metrics = new Map<string, string[]>();
  for (const block of texts.flatMap((text) => text.split(/^(?=# HELP )/m))) {
    const [help = "", type = "", ...samples] = block.trimEnd().split("\n");
    // The words of HELP may differ between services: the first counts.
    const [, , name = ""] = type.split(" ", 3);
    const lines = metrics.get(name) ?? [help, type];
    metrics.set(name, [...lines, ...samples]);
  }
  return `${[...metrics.values()].map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/**
 * Makes the registry, with Node's default metrics. A gauge whose `collect` fails is left out of
 * that scrape and counted. Names carry their unit and the prefix `rollcast_`; labels must be
 * bounded (never an object's name).
 */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return metricsOf(registry);
}

function metricsOf(registry: Registry): Metrics {
  const components: Metrics[] = [];
  const registers = [registry];
  const failed = new Counter({
    name: "rollcast_metrics_collect_failures_total",
    help: "Values that could not be read for a scrape, by metric",
    labelNames: ["metric"],
    registers,
  });
  return {
    counter: (name, help, labels = []) =>
      new Counter({ name, help, labelNames: [...labels], registers }),
    gauge: (name, help, labels = [], collect) =>
      new Gauge({
        name,
        help,
        labelNames: [...labels],
        registers,
        ...(collect === undefined
          ? {}
          : {
              async collect() {
                try {
                  await collect(this);
                } catch {
                  // One value that cannot be read, e.g. in an outage, must not take all others
                  // away.
                  if (labels.length === 0) this.remove();
                  else this.reset();
                  failed.inc({ metric: name });
                }
              },
            }),
      }),
    histogram: (name, help, labels, buckets) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
    component(name) {
      const theirs = new Registry();
      theirs.setDefaultLabels({ component: name });
      const metrics = metricsOf(theirs);
      components.push(metrics);
      return metrics;
    },
    async text() {
      const own = await registry.metrics();
      if (components.length === 0) return own;
      return joinTexts([
        own,
        ...(await Promise.all(components.map((component) => component.text()))),
      ]);
    },
    contentType: registry.contentType,
  };
}
