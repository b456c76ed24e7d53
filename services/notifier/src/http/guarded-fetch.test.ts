import { expect, test } from "vitest";
import { Security } from "@rollcast/shared/config/receivers";
import { startReceiver } from "@rollcast/testkit/receiver";
import { createGuardedFetch } from "./guarded-fetch.ts";
import type { GuardedFetchOptions, Resolve } from "./guarded-fetch.ts";
import { classifyError } from "./classify-answer.ts";

const never = new AbortController().signal;

function resolvingTo(...addresses: string[]): Resolve {
  return (_hostname, _options, callback) => {
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
}

function open(port: number, more: Partial<GuardedFetchOptions> & { allowCidrs?: string[] }) {
  const { allowCidrs = [], ...rest } = more;
  const security = Security.parse({ allowHttp: true, allowedPorts: [port], allowCidrs });
  return createGuardedFetch({ security, ...rest });
}

function post(port: number, host = "hooks.test") {
  return { url: new URL(`http://${host}:${port}/x`), headers: {}, body: "{}" };
}

test.each([
  { name: "one private answer", answers: ["127.0.0.1"] },
  { name: "a public and a private answer", answers: ["203.0.114.1", "127.0.0.1"] },
  { name: "a mapped answer", answers: ["::ffff:127.0.0.1"] },
  { name: "a NAT64 answer", answers: ["64:ff9b::7f00:1"] },
])("a name with $name is never connected to", async ({ answers }) => {
  await using hook = await startReceiver();
  await using fetch = open(hook.port, { resolve: resolvingTo(...answers) });
  const err: unknown = await fetch.post(post(hook.port), never).catch((thrown: unknown) => thrown);
  expect(classifyError(err)).toMatchObject({ kind: "refused", reason: "AddressRefused" });
  expect(hook.received).toEqual([]);
});

test("exactly the checked address is connected to: a rebinding name is not resolved twice", async () => {
  await using hook = await startReceiver();
  let looks = 0;
  const resolve: Resolve = (hostname, options, callback) => {
    looks++;
    const next = looks === 1 ? resolvingTo("127.0.0.1") : resolvingTo("169.254.169.254");
    next(hostname, options, callback);
  };
  await using fetch = open(hook.port, { resolve, allowCidrs: ["127.0.0.0/8"] });
  expect(await fetch.post(post(hook.port), never)).toMatchObject({ status: 200 });
  expect(looks).toBe(1);
});

test("a literal address is checked although no name is resolved", async () => {
  await using hook = await startReceiver();
  await using fetch = open(hook.port, {});
  await expect(fetch.post(post(hook.port, "127.0.0.1"), never)).rejects.toThrow("loopback");
  expect(hook.received).toEqual([]);
});

test("a redirect is returned and not followed", async () => {
  await using hook = await startReceiver({ status: 307, headers: { location: "/y" } });
  await using fetch = open(hook.port, { allowCidrs: ["127.0.0.0/8"] });
  expect(await fetch.post(post(hook.port, "127.0.0.1"), never)).toMatchObject({ status: 307 });
  expect(hook.received).toHaveLength(1);
});

test("a huge body is cut, and a slow receiver times out", async () => {
  await using hook = await startReceiver({ body: "x".repeat(5_000_000) });
  await using fetch = open(hook.port, { allowCidrs: ["127.0.0.0/8"], timeoutMs: 1_000 });
  const answer = await fetch.post(post(hook.port, "127.0.0.1"), never);
  expect(answer.body).toHaveLength(65_536);
  hook.answer({ instead: "hang" });
  const err: unknown = await fetch
    .post(post(hook.port, "127.0.0.1"), never)
    .catch((thrown: unknown) => thrown);
  expect(classifyError(err)).toMatchObject({ kind: "failed", reason: "Timeout" });
});
