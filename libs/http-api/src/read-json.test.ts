import { once } from "node:events";
import { request } from "node:http";
import type { OutgoingHttpHeaders } from "node:http";
import { createLogger } from "@rollcast/runtime/logger";
import { startHttpServer } from "@rollcast/runtime/http-server";
import { ProblemError } from "@rollcast/shared/api/problem";
import { expect, test } from "vitest";
import { readJson } from "./server.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** Opens a server that reads a body; `send` sends one in parts, and returns what came of it. */
async function start() {
  const results: unknown[] = [];
  const begun = Promise.withResolvers<void>();
  const server = await startHttpServer(
    {
      host: "127.0.0.1",
      port: 0,
      requestTimeout: 10_000,
      maxHeaderSize: 8_192,
      logger: createLogger("test", "silent"),
    },
    async (incoming) => {
      begun.resolve();
      const result = await readJson(incoming).catch((err: unknown) =>
        err instanceof ProblemError ? [err.status, err.code] : err,
      );
      results.push(result);
      return { status: 200, headers: {} };
    },
  );
  const open = (headers: OutgoingHttpHeaders) =>
    request({ port: server.port, host: "127.0.0.1", method: "POST", agent: false, headers });
  return {
    open,
    results,
    begun: begun.promise,
    async send(headers: OutgoingHttpHeaders, parts: readonly string[]) {
      const outgoing = open(headers);
      for (const part of parts) outgoing.write(part);
      outgoing.end();
      const [response] = await once(outgoing, "response");
      response.resume();
      return results.pop();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const LARGEST = JSON.stringify("x".repeat(65_534));

test.each<[string, OutgoingHttpHeaders, readonly string[], unknown]>([
  ["no body", {}, [], undefined],
  ["an empty body", { "content-length": 0 }, [], undefined],
  ["parts", JSON_TYPE, ['{"a":', '"\u00e4"}'], { a: "\u00e4" }],
  ["a charset", { "content-type": "Application/JSON; charset=utf-8" }, ["1"], 1],
  ["64 KiB", JSON_TYPE, [LARGEST], "x".repeat(65_534)],
  ["a byte more", JSON_TYPE, [LARGEST, " "], [413, "too-large"]],
  ["much more", JSON_TYPE, Array.from({ length: 20 }, () => LARGEST), [413, "too-large"]],
  ["no JSON", JSON_TYPE, ["{"], [400, "bad-request"]],
  ["nothing of the type JSON", JSON_TYPE, [""], [400, "bad-request"]],
  ["no type", {}, ["{}"], [415, "not-json"]],
  ["another type", { "content-type": "application/jsonp" }, ["{}"], [415, "not-json"]],
])("of %s", async (_, headers, parts, expected) => {
  await using server = await start();
  expect(await server.send(headers, parts)).toEqual(expected);
});

test("a client that goes away in the middle of its body is at fault itself", async () => {
  await using server = await start();
  const outgoing = server.open(JSON_TYPE);
  outgoing.on("error", () => undefined);
  outgoing.write('{"a":');
  await server.begun;
  outgoing.destroy();
  await expect.poll(() => server.results).toEqual([[400, "bad-request"]]);
});
