import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent, request } from "undici";
import { expect, test } from "vitest";
import { ApiError, createApi } from "../src/test-api.ts";
import { tokenOf } from "../src/users.ts";
import { startFaultProxy } from "../src/fault-proxy.ts";
import { configMap, createNamespace, paths } from "../src/objects.ts";
import { useCluster } from "../src/shared-cluster.ts";
import { waitFor } from "../src/wait.ts";

async function setup() {
  await using stack = new AsyncDisposableStack();
  const cluster = useCluster();
  const namespace = stack.use(await createNamespace(cluster.api));
  const proxy = stack.use(await startFaultProxy(cluster));
  const api = stack.use(createApi(proxy.url, tokenOf("admin")));
  const direct = stack.use(createApi(cluster.url, tokenOf("admin"), cluster.caFile));
  const all = stack.move();
  return {
    cluster,
    proxy,
    /** Through the proxy. */
    api,
    direct,
    path: paths.configMap(namespace.name),
    object: (name: string) => configMap(namespace.name, name, { a: "1" }),
    names: async () => {
      const list = await direct.get<{ items: { metadata: { name: string } }[] }>(
        paths.configMap(namespace.name),
      );
      return list.items.map((object) => object.metadata.name);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Watches `path` below `url`; `lines` grows, and `ended` tells how it ended. */
async function openWatch(url: string, path: string, caFile?: string) {
  const agent = new Agent({
    bodyTimeout: 0,
    connect: caFile === undefined ? {} : { rejectUnauthorized: false },
  });
  const { body, statusCode } = await request(`${url}${path}?watch=1`, {
    dispatcher: agent,
    headers: { authorization: `Bearer ${tokenOf("admin")}` },
  });
  const lines: string[] = [];
  const watch = { statusCode, lines, ended: undefined as string | undefined };
  const read = async () => {
    let rest = "";
    for await (const chunk of body) {
      const parts = (rest + String(chunk)).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
    }
  };
  const reading = read().then(
    () => (watch.ended = "clean"),
    () => (watch.ended = "broken"),
  );
  return Object.assign(watch, {
    async [Symbol.asyncDispose]() {
      await agent.destroy();
      await reading;
    },
  });
}

const names = (lines: readonly string[]) =>
  lines.map(
    (line) => (JSON.parse(line) as { object: { metadata: { name: string } } }).object.metadata.name,
  );

const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (err: unknown) => err,
  );

test("without rules all is passed on and counted", async () => {
  await using ctx = await setup();
  await using watch = await openWatch(ctx.proxy.url, ctx.path);

  await ctx.api.create(ctx.path, ctx.object("one"));
  await waitFor(() => watch.lines.some((line) => line.includes('"one"')), { message: "the event" });

  const requests = ctx.proxy.requests.map(({ method, path }) => `${method} ${path}`);
  expect(requests).toEqual([`GET ${ctx.path}`, `POST ${ctx.path}`]);
});

test("answers stand for so many requests, and the API server hears nothing of those", async () => {
  await using ctx = await setup();
  ctx.proxy.rules([
    { method: "POST", fault: { do: "answer", status: 429, retryAfter: 3 }, times: 2 },
  ]);

  const refused = await request(`${ctx.proxy.url}${ctx.path}`, { method: "POST", body: "{}" });
  const body = await refused.body.json();
  const second = await failure(ctx.api.create(ctx.path, ctx.object("second")));
  await ctx.api.create(ctx.path, ctx.object("third"));

  expect(refused.statusCode).toBe(429);
  expect(refused.headers["retry-after"]).toBe("3");
  expect(body).toMatchObject({ kind: "Status", reason: "TooManyRequests", code: 429 });
  expect(second).toBeInstanceOf(ApiError);
  expect((await ctx.names()).filter((name) => name !== "kube-root-ca.crt")).toEqual(["third"]);
});

test.each([
  { late: false, made: false },
  { late: true, made: true },
])("a reset (late: $late) is no answer; the object is made: $made", async ({ late, made }) => {
  await using ctx = await setup();
  ctx.proxy.rules([{ method: "POST", fault: { do: "reset", late } }]);

  const err = await failure(ctx.api.create(ctx.path, ctx.object("one")));

  expect(err).toBeInstanceOf(Error);
  expect(err).not.toBeInstanceOf(ApiError);
  expect((await ctx.names()).includes("one")).toBe(made);
});

test("a stalled watch is silent, and loses nothing when it goes on", async () => {
  await using ctx = await setup();
  await using watch = await openWatch(ctx.proxy.url, ctx.path);
  await using healthy = await openWatch(ctx.cluster.url, ctx.path, ctx.cluster.caFile);
  const has = (lines: readonly string[], name: string) =>
    waitFor(() => lines.some((line) => line.includes(`"${name}"`)), { message: name });
  await ctx.direct.create(ctx.path, ctx.object("before"));
  await has(watch.lines, "before");

  ctx.proxy.rules([{ path: /watch/, fault: { do: "stall" } }]);
  await ctx.direct.create(ctx.path, ctx.object("during"));
  await has(healthy.lines, "during");
  // Another exchange through the proxy: had the event been passed on, it would be here.
  await ctx.api.get(ctx.path);
  expect(names(watch.lines)).not.toContain("during");
  expect(watch.ended).toBeUndefined();

  ctx.proxy.rules([]);
  await ctx.direct.create(ctx.path, ctx.object("after"));
  await has(watch.lines, "after");
  expect(names(watch.lines).filter((name) => name !== "kube-root-ca.crt")).toEqual([
    "before",
    "during",
    "after",
  ]);
});

test("a stalled request is never answered, and not carried out", async () => {
  await using ctx = await setup();
  ctx.proxy.rules([{ method: "POST", fault: { do: "stall" } }]);
  const abort = new AbortController();
  const hung = failure(
    request(`${ctx.proxy.url}${ctx.path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${tokenOf("admin")}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(ctx.object("one")),
      signal: abort.signal,
    }),
  );
  await waitFor(() => ctx.proxy.requests.length > 0, { message: "the request" });

  const created = await ctx.names();
  const first = await Promise.race([hung.then(() => "answered"), Promise.resolve("waiting")]);
  abort.abort(new Error("left"));

  expect(first).toBe("waiting");
  expect(created).not.toContain("one");
  expect(await hung).toMatchObject({ message: "left" });
});

test("junk comes into a watch under way and into a new one, and the events go on", async () => {
  await using ctx = await setup();
  await using old = await openWatch(ctx.proxy.url, ctx.path);

  ctx.proxy.rules([{ path: /watch/, fault: { do: "garble" } }]);
  await using young = await openWatch(ctx.proxy.url, ctx.path);
  await ctx.direct.create(ctx.path, ctx.object("one"));

  for (const { lines } of [old, young]) {
    await waitFor(() => lines.some((line) => line.includes('"one"')), { message: "the event" });
    expect(lines.filter((line) => line === "}{ this is no JSON")).toHaveLength(1);
  }
});

test("expiry ends a watch under way and a new one with an ERROR event 410", async () => {
  await using ctx = await setup();
  await using old = await openWatch(ctx.proxy.url, ctx.path);

  ctx.proxy.rules([{ path: /watch/, fault: { do: "expire" } }]);
  await using young = await openWatch(ctx.proxy.url, ctx.path);

  for (const watch of [old, young]) {
    expect(watch.statusCode).toBe(200);
    await waitFor(() => watch.ended, { message: "the end" });
    expect(watch.ended).toBe("clean");
    expect(JSON.parse(watch.lines.at(-1) ?? "")).toMatchObject({
      type: "ERROR",
      object: { kind: "Status", reason: "Expired", code: 410 },
    });
  }
});

test("a truncated answer breaks off; the next one is whole", async () => {
  await using ctx = await setup();
  await ctx.direct.create(ctx.path, ctx.object("one"));
  ctx.proxy.rules([{ method: "GET", fault: { do: "truncate", bytes: 20 }, times: 1 }]);

  const cut = await request(`${ctx.proxy.url}${ctx.path}`, {
    headers: { authorization: `Bearer ${tokenOf("admin")}` },
  });
  const got: string[] = [];
  const err = await failure(
    (async () => {
      for await (const chunk of cut.body) got.push(String(chunk));
    })(),
  );
  const whole = await ctx.api.get<{ items: unknown[] }>(ctx.path);

  expect(cut.statusCode).toBe(200);
  expect(err).toBeInstanceOf(Error);
  expect(got.join("")).toHaveLength(20);
  expect(whole.items.length).toBeGreaterThan(0);
});

test("cut and a reset rule break watches under way; a delayed request is carried out", async () => {
  await using ctx = await setup();
  await using first = await openWatch(ctx.proxy.url, ctx.path);
  ctx.proxy.cut();
  await waitFor(() => first.ended, { message: "the end of the first" });
  await using second = await openWatch(ctx.proxy.url, ctx.path);
  ctx.proxy.rules([
    { path: /watch/, fault: { do: "reset" } },
    { method: "POST", fault: { do: "delay", ms: 50 } },
  ]);
  await waitFor(() => second.ended, { message: "the end of the second" });

  await ctx.api.create(ctx.path, ctx.object("one"));

  expect([first.ended, second.ended]).toEqual(["broken", "broken"]);
  expect(await ctx.names()).toContain("one");
});

test("a client that leaves leaves nothing behind on the server", async () => {
  await using stack = new AsyncDisposableStack();
  const gone: string[] = [];
  const server = createServer((req, res) => {
    if (req.url === "/answered") res.flushHeaders();
    res.once("close", () => gone.push(req.url ?? ""));
  }).listen(0, "127.0.0.1");
  stack.defer(() => server.closeAllConnections());
  stack.defer(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy = stack.use(await startFaultProxy({ url: `http://127.0.0.1:${port}`, caFile: "" }));
  const abort = new AbortController();
  const open = once(server, "request").then(() => once(server, "request"));
  const calls = ["/silent", "/answered"].map((path) =>
    failure(
      request(`${proxy.url}${path}`, { signal: abort.signal }).then((response) =>
        response.body.text(),
      ),
    ),
  );
  await open;

  abort.abort();
  await Promise.all(calls);
  await waitFor(() => gone.length === 2, { message: "both to be gone" });

  expect(gone.toSorted()).toEqual(["/answered", "/silent"]);
});

test("what is held is passed on when it is let go, unless its client has given up", async () => {
  await using t = await setup();
  const gate = Promise.withResolvers<void>();
  t.proxy.rules([{ method: "POST", fault: { do: "hold", until: gate.promise } }]);
  const patient = t.api.create(t.path, t.object("patient"));
  const given = new AbortController();
  const hasty = request(`${t.proxy.url}${t.path}`, {
    method: "POST",
    body: JSON.stringify(t.object("hasty")),
    headers: { authorization: `Bearer ${tokenOf("admin")}`, "content-type": "application/json" },
    signal: given.signal,
  });
  await waitFor(() => t.proxy.requests.filter(({ method }) => method === "POST").length === 2);
  given.abort();
  await expect(hasty).rejects.toThrow("abort");
  expect(await t.names()).not.toContain("patient");
  gate.resolve();

  await patient;
  const names = await t.names();
  expect(names).toContain("patient");
  expect(names).not.toContain("hasty");
});
