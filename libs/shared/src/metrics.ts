import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

/** A service's own metrics registry, with Node's default metrics; disposed of by nobody: it is plain memory. */
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
  /** The text exposition of all metrics. */
  text(): Promise<string>;
  readonly contentType: string;
};

export type { Counter, Gauge, Histogram } from "prom-client";

/** Seconds, for latencies from a millisecond to half an hour. */
export const LATENCY_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
  1800,
] as const;

/** Makes the registry. A gauge whose `collect` fails is left out of that scrape and counted. Names carry their unit and the prefix `rollcast_`; labels must be bounded (never an object's name). */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
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
                  // One value that cannot be read, e.g. in an outage, must not take all others away.
                  if (labels.length === 0) this.remove();
                  else this.reset();
                  failed.inc({ metric: name });
                }
              },
            }),
      }),
    histogram: (name, help, labels, buckets) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
