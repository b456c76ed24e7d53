import { expect, test } from "vitest";
import { startReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import { startApi } from "./api-client.ts";
import { dataOf, hookReceiver, startNotifierHarness } from "./harness.ts";

test("receivers are listed with their state, and nothing without a token", async () => {
  await using harness = await startNotifierHarness();
  await using second = await startReceiver({ status: 503 });
  const receivers = [
    hookReceiver(harness.hook),
    hookReceiver(second, { name: "second" }),
    { name: "nobody", none: {} },
  ];
  const api = await startApi(harness, { notifier: { receivers } });
  const states = async () => {
    const { status, body } = await api.call("GET", "/v1/receivers");
    expect(status).toBe(200);
    return (body as { items: { name: string }[] }).items;
  };
  expect(await states()).toEqual([
    { name: "hook", kind: "webhook", circuit: "closed", waiting: 0 },
    { name: "nobody", kind: "none", waiting: 0 },
    { name: "second", kind: "webhook", circuit: "closed", waiting: 0 },
  ]);
  await harness.publishEvent("failed", "web");
  await harness.waitEvent("sent");
  await second.waitFor(() => true);
  harness.hook.answer({ status: 410 });
  await harness.publishEvent("failed", "api");
  const dead = await harness.waitEvent("dead");
  const sent = await harness.waitEvent("sent");
  const [hook, , other] = await states();
  const lastDead = { at: dead.time, reason: "Gone" };
  expect(hook).toMatchObject({ circuit: "gone", waiting: 0, lastSentAt: sent.time, lastDead });
  expect(other).toMatchObject({ circuit: "closed", oldestAt: expect.any(String) });
  expect(other).toHaveProperty("waiting");
  const { port } = await api.service.waitLog(({ msg }) => msg === "api listening");
  const bare = await fetch(`http://127.0.0.1:${String(port)}/v1/receivers`);
  expect(bare.status).toBe(401);
  expect(await bare.text()).not.toContain("hook");
});

test("a test message is sent at once, past queue and circuit breaker, and its answer is returned", async () => {
  await using harness = await startNotifierHarness();
  const api = await startApi(harness);
  const send = (name = "hook") => api.call("POST", `/v1/receivers/${name}/test`);
  expect(await send()).toMatchObject({ status: 200, body: { result: "sent" } });
  const body = harness.hook.received[0]?.body ?? "";
  expect(body).toContain("This is a test of the receiver: nothing was rolled.");
  harness.hook.answer({ status: 403, body: "go away, token=query-is-secret" });
  expect(await send()).toMatchObject({ body: { result: "refused", reason: "Forbidden" } });
  expect(JSON.stringify(await send())).not.toContain("query-is-secret");
  harness.hook.answer({ status: 429, headers: { "retry-after": "60" } });
  expect(await send()).toMatchObject({ body: { result: "later", reason: "Throttled" } });
  harness.hook.answer({ instead: "reset" });
  expect(await send()).toMatchObject({ body: { result: "failed", reason: "Network" } });
  expect(await send("who")).toMatchObject({ status: 404, body: { code: "no-such-receiver" } });
  expect(await harness.records()).toMatchObject([{ type: "receivers" }]);
  expect(await harness.events()).toEqual([]);
});

test("the API explains which receivers would get an event, and why", async () => {
  await using harness = await startNotifierHarness();
  const receivers = [hookReceiver(harness.hook), hookReceiver(harness.hook, { name: "team" })];
  const route = {
    receiver: "hook",
    groupWait: "5s",
    routes: [
      { match: ['outcome == "started"', 'namespace == "shop"'], receiver: "team" },
      {
        match: ['severity >= "warning"'],
        groupBy: ["workload"],
        routes: [{ match: ['kind == "Job"'], receiver: "team" }],
      },
      { match: ['name == "web"'], receiver: "team" },
    ],
  };
  const annotation = { namespaces: ["shop"] };
  const api = await startApi(harness, { notifier: { receivers, route, annotation } });
  const parts = { id: "e1", cluster: "test", service: "restarter", time: 0 };
  const event = rolloutEvent(parts, "failed", dataOf("web", { notify: ["team", "who"] }));
  const { status, body } = await api.call("POST", "/v1/routes/explain", { event });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    labels: { outcome: "failed", severity: "error", workload: "Deployment/shop/web" },
    deliveries: [
      {
        receiver: "hook",
        route: "1",
        group: { workload: "Deployment/shop/web" },
        groupWaitMs: 5_000,
      },
      { receiver: "team", route: "annotation", group: { cluster: "test", namespace: "shop" } },
    ],
    routes: [
      { path: "", receiver: "hook", matchers: [], matches: true, ends: false },
      {
        path: "0",
        receiver: "team",
        matchers: [
          { text: 'outcome == "started"', matches: false },
          { text: 'namespace == "shop"', matches: true },
        ],
        matches: false,
        ends: false,
      },
      { path: "1", receiver: "hook", matches: true, ends: true },
      { path: "1.0", receiver: "team", matches: false, ends: false },
    ],
    refused: [{ name: "who", reason: "Unknown" }],
  });
  const wrong = await api.call("POST", "/v1/routes/explain", { event: { id: "x" } });
  expect(wrong).toMatchObject({ status: 400, body: { code: "bad-request" } });
  expect(harness.hook.received).toEqual([]);
});

test("without its configuration there is no API; an unreadable token stops the start", async () => {
  await using harness = await startNotifierHarness();
  const off = await harness.start();
  expect(off.logs.map(({ msg }) => msg)).not.toContain("api listening");
  const api = { listen: "127.0.0.1:0", tokenFile: "/does/not/exist" };
  const refused = await harness.start({ notifier: { api }, wait: false });
  expect(await refused.exited).toBe(1);
  expect(JSON.stringify(refused.logs)).toContain("/does/not/exist");
});

test("in an outage of NATS the API says so, and answers again after it", async () => {
  await using harness = await startNotifierHarness();
  const api = await startApi(harness);
  await harness.nats.kill();
  const during = await api.call("GET", "/v1/dead-letters");
  expect(during).toMatchObject({ status: 503, body: { code: "unavailable" } });
  await harness.nats.restart();
  await waitFor(async () => (await api.call("GET", "/v1/dead-letters")).status === 200, {
    message: "the API to answer again",
  });
});
