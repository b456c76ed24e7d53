import { expect, test } from "vitest";
import { LATENCY_BUCKETS, createMetrics } from "./metrics.ts";

function line(text: string, start: string): string | undefined {
  return text.split("\n").find((row) => row.startsWith(start));
}

test("counters, gauges and histograms are in the exposition, beside Node's own", async () => {
  const metrics = createMetrics();
  metrics.counter("rollcast_a_total", "A", ["kind"]).inc({ kind: "Secret" }, 2);
  metrics.gauge("rollcast_b", "B").set(3);
  metrics
    .histogram("rollcast_c_seconds", "C", ["result"], LATENCY_BUCKETS)
    .observe({ result: "ok" }, 0.02);

  const text = await metrics.text();

  expect(metrics.contentType).toContain("text/plain");
  expect(line(text, "rollcast_a_total{")).toBe('rollcast_a_total{kind="Secret"} 2');
  expect(line(text, "rollcast_b ")).toBe("rollcast_b 3");
  expect(text).toContain('rollcast_c_seconds_bucket{le="0.025",result="ok"} 1');
  expect(text).toContain('rollcast_c_seconds_bucket{le="0.01",result="ok"} 0');
  expect(line(text, "process_cpu_seconds_total")).toBeDefined();
  expect(line(text, "nodejs_eventloop_lag_seconds")).toBeDefined();
});

test("a gauge is read when it is asked for", async () => {
  const metrics = createMetrics();
  let size = 1;
  metrics.gauge("rollcast_size", "Size", [], (gauge) => gauge.set(size));

  expect(line(await metrics.text(), "rollcast_size ")).toBe("rollcast_size 1");
  size = 2;
  expect(line(await metrics.text(), "rollcast_size ")).toBe("rollcast_size 2");
});

test("a gauge that cannot be read is left out and counted, and takes nothing else away", async () => {
  const metrics = createMetrics();
  let broken = false;
  const read = async () => {
    if (broken) throw new Error("no answer");
  };
  metrics.gauge("rollcast_plain", "P", [], async (gauge) => {
    await read();
    gauge.set(1);
  });
  metrics.gauge("rollcast_labelled", "L", ["queue"], async (gauge) => {
    await read();
    gauge.set({ queue: "default" }, 1);
  });
  metrics.counter("rollcast_other_total", "O").inc();

  expect(await metrics.text()).toContain('rollcast_labelled{queue="default"} 1');
  broken = true;
  await metrics.text();
  const text = await metrics.text();

  expect(line(text, "rollcast_plain ")).toBeUndefined();
  expect(line(text, "rollcast_labelled{")).toBeUndefined();
  expect(line(text, "rollcast_other_total ")).toBe("rollcast_other_total 1");
  expect(text).toMatch(/rollcast_metrics_collect_failures_total\{metric="rollcast_plain"\} [12]/);
  broken = false;
  expect(line(await metrics.text(), "rollcast_plain ")).toBe("rollcast_plain 1");
});

test("two services in one process do not share metrics", async () => {
  const [a, b] = [createMetrics(), createMetrics()];
  a.counter("rollcast_x_total", "X").inc();
  b.counter("rollcast_x_total", "X");

  expect(line(await a.text(), "rollcast_x_total")).toBe("rollcast_x_total 1");
  expect(line(await b.text(), "rollcast_x_total")).toBe("rollcast_x_total 0");
});

test("components of one process keep their metrics of one name apart", async () => {
  const metrics = createMetrics();
  metrics.counter("rollcast_own_total", "Own").inc();
  const [a, b] = [metrics.component("a"), metrics.component("b")];
  a.gauge("rollcast_pending", "Of a", ["queue"]).set({ queue: "x" }, 1);
  b.gauge("rollcast_pending", "Of b", ["queue"], (gauge) => gauge.set({ queue: "x" }, 2));
  b.histogram("rollcast_took_seconds", "T", [], [1]).observe(0.5);

  const text = await metrics.text();

  expect(text.match(/^# (HELP|TYPE) rollcast_pending .*\n/gm)).toEqual([
    "# HELP rollcast_pending Of a\n",
    "# TYPE rollcast_pending gauge\n",
  ]);
  expect(text).toContain(
    'rollcast_pending{queue="x",component="a"} 1\nrollcast_pending{queue="x",component="b"} 2\n',
  );
  expect(text).toContain('rollcast_took_seconds_bucket{le="1",component="b"} 1');
  expect(line(text, "rollcast_own_total")).toBe("rollcast_own_total 1");
  expect(text.match(/^process_cpu_seconds_total /gm)).toHaveLength(1);
  expect(text).not.toMatch(/\n\n\n|undefined/);
});
