import { join } from "node:path";
import { expect, test } from "vitest";
import { waitFor } from "@rollcast/testkit/wait";
import { startForwardProxy } from "@rollcast/testkit/forward-proxy";
import type { ForwardProxy } from "@rollcast/testkit/forward-proxy";
import { startNotifierHarness } from "./harness.ts";
import type { NotifierHarness } from "./harness.ts";
import { TLS, startTlsReceiver } from "./tls-receiver.ts";

type Via = { env?: Readonly<Record<string, string>>; allowCidrs?: readonly string[] };

function startVia(
  harness: NotifierHarness,
  proxy: ForwardProxy,
  url: string,
  { env, allowCidrs = [] }: Via = {},
) {
  const allowedPorts = [Number(new URL(url).port)];
  const security = { allowedPorts, allowCidrs, allowHttp: url.startsWith("http:") };
  return harness.start({
    notifier: { receivers: [{ name: "hook", webhook: { url }, security }] },
    env: {
      NODE_EXTRA_CA_CERTS: join(TLS, "test.crt"),
      HTTPS_PROXY: `http://ops:proxy-password@127.0.0.1:${proxy.port}`,
      HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
      ...env,
    },
  });
}

test("https goes through a tunnel of the proxy, which resolves the name", async () => {
  await using harness = await startNotifierHarness();
  await using proxy = await startForwardProxy();
  await using hook = await startTlsReceiver();
  // Resolved here it would be refused: a loopback address is nothing public.
  await startVia(harness, proxy, `https://localhost:${hook.port}/hook?token=query-is-secret`);
  await harness.publishEvent("failed", "web");
  await harness.waitEvent("sent");
  expect(hook.paths).toEqual(["/hook?token=query-is-secret"]);
  expect(hook.versions).toEqual(new Set(["1.1"]));
  expect(proxy.requests).toEqual([`CONNECT localhost:${hook.port}`]);
  const credentials = Buffer.from("ops:proxy-password").toString("base64");
  expect(proxy.credentials).toEqual([`Basic ${credentials}`]);
});

test("plain http is forwarded by the proxy", async () => {
  await using harness = await startNotifierHarness();
  await using proxy = await startForwardProxy();
  await startVia(harness, proxy, `http://hooks.nowhere.invalid:${harness.hook.port}/hook`);
  await harness.publishEvent("failed", "web");
  await harness.waitEvent("sent");
  expect(harness.hook.received.map(({ path }) => path)).toEqual(["/hook"]);
  expect(proxy.requests).toEqual([`POST http://hooks.nowhere.invalid:${harness.hook.port}/hook`]);
});

test("hosts in NO_PROXY are reached directly, and their addresses are checked", async () => {
  await using harness = await startNotifierHarness();
  await using proxy = await startForwardProxy();
  await using hook = await startTlsReceiver();
  const env = { NO_PROXY: "localhost" };
  const url = `https://localhost:${hook.port}/hook`;
  const refusing = await startVia(harness, proxy, url, { env });
  await harness.publishEvent("failed", "web");
  expect(await harness.waitEvent("dead")).toMatchObject({ data: { reason: "AddressRefused" } });
  expect(hook.paths).toEqual([]);
  await refusing.kill("SIGTERM");

  await startVia(harness, proxy, url, { env, allowCidrs: ["127.0.0.0/8", "::1/128"] });
  await harness.publishEvent("failed", "api");
  await harness.waitEvent("sent");
  expect(hook.paths).toEqual(["/hook"]);
  expect(hook.versions).toEqual(new Set(["1.1"]));
  expect(proxy.requests).toEqual([]);
});

test("a literal address is checked before any proxy is used", async () => {
  await using harness = await startNotifierHarness();
  await using proxy = await startForwardProxy();
  const url = "https://169.254.169.254/latest/meta-data";
  const started = await harness.start({
    notifier: { receivers: [{ name: "hook", webhook: { url } }] },
    env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` },
    wait: false,
  });
  expect(await started.exited).toBe(1);
  expect(JSON.stringify(started.logs)).toContain("169.254.169.254");
  expect(proxy.requests).toEqual([]);
});

test("through a proxy too, the certificate must match the name", async () => {
  await using harness = await startNotifierHarness();
  await using proxy = await startForwardProxy();
  await using hook = await startTlsReceiver();
  await startVia(harness, proxy, `https://hooks.nowhere.invalid:${hook.port}/hook`);
  await harness.publishEvent("failed", "web");
  await waitFor(async () => (await harness.metrics()).includes('reason="network"'), {
    message: "an attempt that failed",
  });
  expect(proxy.requests).toEqual([`CONNECT hooks.nowhere.invalid:${hook.port}`]);
  expect(hook.paths).toEqual([]);
});

test("a refusing proxy is a network error, reported without its password", async () => {
  await using harness = await startNotifierHarness();
  await using proxy = await startForwardProxy();
  proxy.refuse(407);
  await startVia(harness, proxy, "https://hooks.nowhere.invalid:8443/hook");
  await harness.publishEvent("failed", "web");
  const put = await waitFor(
    () => harness.logs().find(({ msg }) => msg === "notification delayed, will retry"),
    {
      message: "an attempt that failed",
    },
  );
  expect(put).toMatchObject({ reason: "Network", message: "the proxy answered 407" });
  expect(JSON.stringify(harness.logs())).not.toContain("proxy-password");
});

test("an invalid proxy URL stops the start without being shown", async () => {
  await using harness = await startNotifierHarness();
  const started = await harness.start({
    env: { HTTPS_PROXY: "ops:proxy-password@x" },
    wait: false,
  });
  expect(await started.exited).toBe(1);
  expect(JSON.stringify(started.logs)).toContain("HTTPS_PROXY must be like");
  expect(JSON.stringify(started.logs)).not.toContain("proxy-password");
});
