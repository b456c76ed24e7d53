import { join } from "node:path";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import type { ServiceLogLine } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { setKey, startStack, waitSettled } from "./stack.ts";
import type { Stack } from "./stack.ts";

type Value = { stringValue?: string };
type OtlpSpan = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  links?: { traceId: string }[];
};
type Span = OtlpSpan & { readonly service: string };
type Export = {
  resourceSpans: {
    resource: { attributes: { key: string; value: Value }[] };
    scopeSpans: { spans: OtlpSpan[] }[];
  }[];
};

/**
 * Every span that a collector was sent so far, as OTLP's JSON has it:
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
function spansOf(collector: TestReceiver): Span[] {
  const exports = collector.received
    .filter(({ path }) => path === "/v1/traces")
    .flatMap(({ body }) => (JSON.parse(body) as Export).resourceSpans);
  return exports.flatMap(({ resource, scopeSpans }) => {
    const named = resource.attributes.find(({ key }) => key === "service.name");
    const service = named?.value.stringValue ?? "";
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service })));
  });
}

async function app(stack: Stack, sources: readonly string[]) {
  const { api, namespace } = stack;
  for (const name of sources) {
    await api.create(paths.configMap(namespace), configMap(namespace, name, { a: "0" }));
  }
  const uses = sources.map((name) => ({ as: "envFrom", configMap: name }) as const);
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
}

async function stop(stack: Stack) {
  await Promise.all(stack.services.map((service) => service.kill("SIGTERM")));
}

test("one trace leads from the change to the webhook, over three processes", async () => {
  await using collector = await startReceiver({ body: "{}" });
  await using stack = await startStack({ services: [] });
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  await app(stack, ["cfg"]);
  for (const name of ["watcher", "restarter", "notifier"] as const) {
    await stack.start(name, { env });
  }
  await waitSettled(stack, "web");

  await setKey(stack, "cfg", "a", "1");
  const hook = await stack.receiver.waitFor(
    ({ body }) => body.includes("rollout.succeeded"),
    60_000,
  );
  await stack.waitEvent("sent", "hook");
  // What is not sent yet is sent at the end.
  await stop(stack);

  const spans = spansOf(collector);
  const root = spans.find(({ name }) => name === "source changed");
  const trace = spans.filter(({ traceId }) => traceId === root?.traceId);
  const lineage = (name: string) => {
    const names: string[] = [];
    let at = trace.find((span) => span.name === name);
    while (at !== undefined) {
      const { parentSpanId } = at;
      names.unshift(`${at.service.replace("rollcast-", "")} ${at.name}`);
      at = trace.find(({ spanId }) => spanId === parentSpanId);
    }
    return names;
  };
  expect(lineage("patch")).toEqual([
    "watcher source changed",
    "restarter plan",
    "restarter roll",
    "restarter patch",
  ]);
  expect(lineage("rollout")).toEqual([...lineage("roll"), "restarter rollout"]);
  expect(lineage("deliver").at(-1)).toBe("notifier deliver");
  expect(lineage("deliver")[0]).toBe("watcher source changed");
  expect(hook.headers.traceparent).toContain(root?.traceId ?? "none");
  expect(trace.filter(({ name }) => name === "deliver").map(({ spanId }) => spanId)).toContain(
    String(hook.headers.traceparent).split("-")[2],
  );

  const logged = stack.logs().find(({ msg }) => msg === "rollout planned");
  expect(logged).toMatchObject({
    trace_id: root?.traceId,
    span_id: trace.find(({ name }) => name === "plan")?.spanId,
  });
});

test("two changes that become one rollout: one trace, linked to the other", async () => {
  await using collector = await startReceiver({ body: "{}" });
  await using stack = await startStack({
    services: [],
    config: { queues: [{ name: "default", window: "5s" }] },
  });
  await app(stack, ["first", "second"]);
  await stack.start("all-in-one", { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  await waitSettled(stack, "web");

  await setKey(stack, "first", "a", "1");
  await stack.waitEvent("planned", "web", 1);
  await setKey(stack, "second", "a", "1");
  await stack.waitEvent("succeeded", "web");
  await stop(stack);

  const spans = spansOf(collector);
  const roots = spans.filter(({ name }) => name === "source changed");
  const rolls = spans.filter(({ name }) => name === "roll");
  expect(roots).toHaveLength(2);
  expect(rolls).toHaveLength(1);
  const [roll] = rolls;
  const met = [roll?.traceId, ...(roll?.links ?? []).map(({ traceId }) => traceId)];
  expect(met.toSorted()).toEqual(roots.map(({ traceId }) => traceId).toSorted());
});

test("without an endpoint neither SDK nor exporter is loaded; with one they are", async () => {
  await using stack = await startStack({ services: [] });
  const probe = join(import.meta.dirname, "fixtures", "resolved.mjs");
  const NODE_OPTIONS = `--import ${probe}`;
  // The API is always there, and does nothing by itself.
  const resolved = (line: ServiceLogLine) =>
    line.msg === "resolved" && line.specifier !== "@opentelemetry/api";

  const plain = await stack.start("all-in-one", { env: { NODE_OPTIONS } });
  expect(plain.logs.some(resolved)).toBe(false);
  await plain.kill("SIGTERM");

  const env = { NODE_OPTIONS, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" };
  const traced = await stack.start("all-in-one", { env });
  expect(traced.logs.some(resolved)).toBe(true);
  // A collector that is away holds nothing up, not the end either.
  expect(await traced.kill("SIGTERM")).toBe(0);
});

test("spans are sent while a service runs, not only at its end", async () => {
  await using collector = await startReceiver({ body: "{}" });
  await using stack = await startStack({ services: [] });
  await stack.start("watcher", { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  await stack.api.create(
    paths.configMap(stack.namespace),
    configMap(stack.namespace, "new", { a: "0" }),
  );
  await stack.waitEvent("created", "new");

  const span = await waitFor(
    () => spansOf(collector).find(({ name }) => name === "source created"),
    { message: "the span to be sent while the watcher runs", timeout: 20_000 },
  );
  expect(span.parentSpanId ?? "").toBe("");
});
