import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PageQuery, pageOf, paginate } from "@rollcast/shared/api/page";
import { ProblemError, Problem } from "@rollcast/shared/api/problem";
import { defineRoute, serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import { TerminalError } from "@rollcast/shared/errors";
import { createLogger } from "@rollcast/runtime/logger";
import { createMetrics } from "@rollcast/runtime/metrics";
import { expect, test } from "vitest";
import { z } from "zod";
import { startApi } from "./server.ts";

const TOKEN = "a-token-of-the-tests-1";
const Thing = z.object({ name: z.string() });
const state: { fault: string | undefined } = { fault: undefined };

const ROUTES: readonly ApiRoute[] = [
  serve(
    defineRoute({
      method: "GET",
      path: "/v1/things",
      name: "listThings",
      summary: "Things",
      query: z.strictObject({ ...PageQuery }),
      response: pageOf(Thing),
    }),
    ({ query }) => {
      const things = ["a", "b", "c"].map((name) => ({ name, secret: "never-told" }));
      return paginate(things, ({ name }) => name, query);
    },
  ),
  serve(
    defineRoute({
      method: "POST",
      path: "/v1/things/{name}/touch",
      name: "touchThing",
      summary: "Touch",
      params: z.strictObject({ name: z.string().max(5) }),
      body: z.strictObject({ times: z.number().int().max(3) }),
      response: z.object({ touched: z.string(), by: z.string().optional() }),
      status: 202,
    }),
    ({ params, body, actor }) => {
      if (params.name === "crash") throw new Error("a sentence with a secret in it");
      if (params.name === "odd") throw new TerminalError("Unreadable", "record odd is of no form");
      if (params.name === "gone") throw new ProblemError(404, "no-thing", "list the things first");
      return { touched: `${params.name} ${body.times}`, by: actor };
    },
  ),
  serve(
    defineRoute({
      method: "DELETE",
      path: "/v1/things/{name}",
      name: "removeThing",
      summary: "Remove",
      params: z.strictObject({ name: z.string() }),
    }),
    () => undefined,
  ),
];

async function start(token = TOKEN) {
  const stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "rollcast-api-"));
  stack.defer(() => rm(dir, { recursive: true }));
  const tokenFile = join(dir, "token");
  await writeFile(tokenFile, `${token}\n`);
  const metrics = createMetrics();
  const api = stack.use(
    await startApi({
      listen: { host: "127.0.0.1", port: 0 },
      tokenFile,
      tokenKey: "test.api.tokenFile",
      info: { title: "Test", version: "1", description: "Test" },
      routes: ROUTES,
      fault: () => state.fault,
      metrics,
      logger: createLogger("test", "silent"),
    }),
  );
  const call = (path: string, init: RequestInit = {}, given: string | undefined = TOKEN) =>
    fetch(`http://127.0.0.1:${api.port}${path}`, {
      ...init,
      headers: {
        ...(given === undefined ? {} : { authorization: `Bearer ${given}` }),
        ...(init.body === undefined ? {} : { "content-type": "application/json" }),
        ...(init.headers as Record<string, string> | undefined),
      },
    });
  return { call, tokenFile, metrics, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function problem(response: Response) {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const body = Problem.parse(await response.json());
  expect(body.status).toBe(response.status);
  expect(body.type).toBe(`urn:rollcast:problem:${body.code}`);
  return body;
}

const touch = (times: unknown, headers = {}) => ({
  method: "POST",
  body: JSON.stringify({ times }),
  headers,
});

test("a record that cannot be read is named, and no fault of the service", async () => {
  await using api = await start();
  const { status, code, detail } = await problem(await api.call("/v1/things/odd/touch", touch(1)));
  expect([status, code, detail]).toEqual([500, "unreadable", "record odd is of no form"]);
});

test("answers hold what the contract names and nothing else, page by page", async () => {
  await using api = await start();
  const response = await api.call("/v1/things?limit=2");
  const first = (await response.json()) as { next: string };
  expect(first).toEqual({ items: [{ name: "a" }, { name: "b" }], next: expect.any(String) });
  const rest = await (await api.call(`/v1/things?limit=2&cursor=${first.next}`)).json();
  expect(rest).toEqual({ items: [{ name: "c" }] });
  expect((await problem(await api.call("/v1/things?cursor=%00"))).code).toBe("bad-cursor");
});

test("the caller's name is told to the route where it is printable", async () => {
  await using api = await start();
  const named = await api.call("/v1/things/a/touch", touch(1, { "x-rollcast-actor": "ann@host" }));
  expect(named.status).toBe(202);
  expect(await named.json()).toEqual({ touched: "a 1", by: "ann@host" });
  const removed = await api.call("/v1/things/a", { method: "DELETE" });
  expect([removed.status, await removed.text()]).toEqual([204, ""]);
});

test.each([
  ["no token", undefined],
  ["another token", "b-token-of-the-tests-1"],
  ["a token that begins alike", `${TOKEN}x`],
])("lets nobody in with %s, whatever is asked", async (_, token) => {
  await using api = await start();
  for (const path of ["/v1/things", "/openapi.json", "/elsewhere"]) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const refused = await api.call(path, { headers }, token ?? "");
    expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    expect(await problem(refused)).toMatchObject({ status: 401, code: "unauthorized" });
  }
});

test("a new token counts at once, and an unreadable one lets nobody in", async () => {
  await using api = await start();
  const status = async (token: string) => (await api.call("/v1/things", {}, token)).status;
  const put = async (token: string) => {
    await writeFile(`${api.tokenFile}.new`, token);
    await rename(`${api.tokenFile}.new`, api.tokenFile);
  };
  expect(await status(TOKEN)).toBe(200);
  await put("another-token-of-the-tests");
  expect([await status(TOKEN), await status("another-token-of-the-tests")]).toEqual([401, 200]);
  await rm(api.tokenFile);
  expect(await status("another-token-of-the-tests")).toBe(401);
  await put(TOKEN);
  expect(await status(TOKEN)).toBe(200);
});

test.each(["", "short", "with a blank in it, long enough"])(
  "does not start with the token %j",
  async (token) => {
    await expect(start(token)).rejects.toThrow(/empty|must be one line of at least 16/);
  },
);

test("faults of a request are all named, without its values", async () => {
  await using api = await start();
  const bad = await problem(await api.call("/v1/things?limit=0&colour=red"));
  expect(bad.faults).toEqual([
    "query limit: must be at least 1",
    "query colour: unknown key, known here: limit, cursor",
  ]);
  const body = await problem(await api.call("/v1/things/a/touch", touch("secret")));
  expect(body.faults).toEqual(["body times: must be a number, not string"]);
  const path = await problem(await api.call("/v1/things/abcdef/touch", touch(1)));
  expect(path.faults).toEqual(["path name: must be at most 5 characters"]);
});

const BROKEN: [string, string, RequestInit, number, string][] = [
  ["an unknown path", "/v1/nothing", {}, 404, "no-such-path"],
  ["another method", "/v1/things", { method: "PUT" }, 405, "method-not-allowed"],
  [
    "a body that is no JSON",
    "/v1/things/a/touch",
    { method: "POST", body: "{" },
    400,
    "bad-request",
  ],
  [
    "another type of body",
    "/v1/things/a/touch",
    { method: "POST", body: "<a/>", headers: { "content-type": "text/xml" } },
    415,
    "not-json",
  ],
  ["a body too large", "/v1/things/a/touch", touch("x".repeat(70_000)), 413, "too-large"],
  ["what the route refuses", "/v1/things/gone/touch", touch(1), 404, "no-thing"],
];

test.each(BROKEN)("%s is a problem", async (_, path, init, status, code) => {
  await using api = await start();
  expect(await problem(await api.call(path, init))).toMatchObject({ status, code });
});

test("an unexpected error says nothing of itself, and 503 where something is not reachable", async () => {
  await using api = await start();
  const crash = await api.call("/v1/things/crash/touch", touch(1));
  const text = await crash.clone().text();
  expect(text).not.toMatch(/secret|server\.ts|stack/);
  const body = await problem(crash);
  expect(body).toMatchObject({ status: 500, code: "internal" });
  expect(body.requestId).toBe(crash.headers.get("x-request-id"));
  state.fault = "nats: not connected";
  const unavailable = await api.call("/v1/things/crash/touch", touch(1));
  state.fault = undefined;
  expect(unavailable.headers.get("retry-after")).toBe("5");
  expect(await problem(unavailable)).toMatchObject({ status: 503, code: "unavailable" });
});

test("requests are counted by operation, whatever the path", async () => {
  await using api = await start();
  await api.call("/v1/things/a/touch", touch(1));
  await api.call("/v1/things/b/touch", touch(1));
  await api.call("/v1/random-path");
  const text = await api.metrics.text();
  expect(text).toContain('rollcast_api_requests_total{operation="touchThing",status="202"} 2');
  expect(text).toContain('rollcast_api_requests_total{operation="other",status="404"} 1');
});

test("the document names each route with its schemas", async () => {
  await using api = await start();
  const document = (await (await api.call("/openapi.json")).json()) as {
    openapi: string;
    paths: Record<string, Record<string, unknown>>;
  };
  expect(document.openapi).toBe("3.1.1");
  expect(document.paths["/v1/things/{name}/touch"]?.post).toMatchObject({
    operationId: "touchThing",
    parameters: [{ name: "name", in: "path", required: true, schema: { maxLength: 5 } }],
    requestBody: { content: { "application/json": { schema: { required: ["times"] } } } },
    responses: { 202: {}, default: {} },
  });
  expect(document.paths["/v1/things"]?.get).toMatchObject({
    parameters: [
      { name: "limit", in: "query", required: false, schema: { default: 100, maximum: 500 } },
      { name: "cursor", in: "query", required: false },
    ],
  });
});
