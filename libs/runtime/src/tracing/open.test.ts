import { startReceiver } from "@rollcast/testkit/receiver";
import { expect, test, vi } from "vitest";
import { createLogger } from "../logger.ts";
import { SpanKind, carried, inSpan, logFields, trace } from "../trace.ts";
import { openTracing } from "./open.ts";

/** As services have it: made before there is a provider. */
const early = trace.getTracer("rollcast-early");

const PARENT = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
const link = (at: number) => `00-${at.toString(16).padStart(32, "c")}-${"d".repeat(16)}-01`;

type Attribute = { key: string; value: { stringValue?: string } };
type Span = {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  attributes: Attribute[];
  links: { traceId: string }[];
  status: { code: number; message?: string };
};
type Resource = { resource: { attributes: Attribute[] }; scopeSpans: { spans: Span[] }[] };

const valueOf = (attributes: Attribute[], key: string) =>
  attributes.find((attribute) => attribute.key === key)?.value.stringValue;

/** What a collector gets from `work`: the spans by name, each with its service. */
async function traced(work: () => Promise<unknown>) {
  await using collector = await startReceiver({ body: "{}" });
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url);
  const logger = createLogger("test", "silent");
  const tracing = await openTracing({ env, cluster: "here", logger });
  await work();
  await tracing[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
  const bodies = collector.received.map(({ body }) => JSON.parse(body));
  const resources = bodies.flatMap(({ resourceSpans }) => resourceSpans as Resource[]);
  return new Map(
    resources.flatMap(({ resource, scopeSpans }) => {
      const service = valueOf(resource.attributes, "service.name");
      const spans = scopeSpans.flatMap((scope) => scope.spans);
      return spans.map((span) => [span.name, { ...span, service }] as const);
    }),
  );
}

test("a span follows from its traceparent, is active during the work, and names its service", async () => {
  const during: unknown[] = [];
  const spans = await traced(async () => {
    const options = { kind: SpanKind.CLIENT, parent: PARENT, startTime: 1_700_000_000_000 };
    await inSpan(early, "outer", options, async () => {
      during.push(carried(), logFields());
      await inSpan(
        trace.getTracer("rollcast-inner"),
        "inner",
        { parent: "00-bad" },
        async () => {},
      );
    });
  });
  const outer = spans.get("outer");
  expect(outer).toMatchObject({
    service: "rollcast-early",
    kind: 3,
    traceId: "a".repeat(32),
    parentSpanId: "b".repeat(16),
    startTimeUnixNano: "1700000000000000000",
  });
  expect(during).toEqual([
    { traceparent: `00-${outer?.traceId}-${outer?.spanId}-01` },
    { trace_id: outer?.traceId, span_id: outer?.spanId },
  ]);
  expect(spans.get("inner")).toMatchObject({
    service: "rollcast-inner",
    parentSpanId: outer?.spanId,
  });
});

test("links are at most 32, each once, without the parent and what is no traceparent", async () => {
  const links = [
    PARENT,
    "00-bad",
    undefined,
    link(0),
    ...Array.from({ length: 40 }, (_, i) => link(i)),
  ];
  const spans = await traced(() =>
    inSpan(trace.getTracer("rollcast-links"), "linked", { parent: PARENT, links }, async () => {}),
  );
  const expected = Array.from({ length: 32 }, (_, i) => link(i).split("-")[1]);
  expect(spans.get("linked")?.links.map(({ traceId }) => traceId)).toEqual(expected);
});

test("an error is thrown on, and becomes the status, masked", async () => {
  const error = new TypeError("no answer from redis://:pw@redis");
  const spans = await traced(async () => {
    const work = inSpan(trace.getTracer("rollcast-error"), "failed", {}, () =>
      Promise.reject(error),
    );
    await expect(work).rejects.toBe(error);
  });
  const failed = spans.get("failed");
  expect(failed?.status).toEqual({ code: 2, message: "no answer from redis://***@redis" });
  expect(valueOf(failed?.attributes ?? [], "error.type")).toBe("TypeError");
});

test("without an endpoint nothing is traced or carried, whatever the cause is", async () => {
  const logger = createLogger("test", "silent");
  await using _tracing = await openTracing({ env: {}, cluster: "here", logger });
  const options = { parent: PARENT, links: [link(1)] };
  const during = await inSpan(trace.getTracer("rollcast-off"), "off", options, async () => {
    await Promise.resolve();
    return [carried(), logFields()];
  });
  expect(during).toEqual([{}, {}]);
});
