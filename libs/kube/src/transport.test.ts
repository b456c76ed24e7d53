import { once } from "node:events";
import { Agent, createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { send } from "./transport.ts";

/** What a server's answer is to who sends something. */
async function answered(answer: (response: ServerResponse) => void): Promise<unknown> {
  await using undo = new AsyncDisposableStack();
  const server = createServer((_, response) => answer(response)).listen(0, "127.0.0.1");
  undo.defer(() => void server.close());
  await once(server, "listening");
  const agent = undo.adopt(new Agent(), (each) => each.destroy());
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const exchange = { url, method: "PATCH", headers: {}, body: "{}", timeoutMs: 60_000 };
  const sent = send({ agent }, { ...exchange, signal: undefined }, 1_000);
  return await sent.catch((err: unknown) => err);
}

const REFUSAL = JSON.stringify({ code: 403, reason: "Forbidden", message: "testing" });

test("a refusal has the reason and the sentence of its Status", async () => {
  const err = await answered((response) => void response.writeHead(403).end(REFUSAL));

  expect(err).toMatchObject({ status: 403, reason: "Forbidden", message: "testing" });
});

test("a refusal that is cut is no answer: what was refused is not known", async () => {
  const err = await answered((response) => {
    response.writeHead(403, { "content-length": REFUSAL.length });
    response.write(REFUSAL.slice(0, 20), () => response.destroy());
  });

  expect(err).toMatchObject({ name: "KubeError", status: 0 });
});

test.each([
  ["short", "<h1>Bad gateway</h1>"],
  ["long", "x".repeat(1_048_577)],
])("a proxy's %s page has its HTTP status", async (_, page) => {
  const err = await answered((response) => void response.writeHead(502).end(page));

  expect(err).toMatchObject({ name: "KubeError", status: 502, reason: "Http502" });
});
