import { join } from "node:path";
import { startForwardProxy } from "@rollcast/testkit/forward-proxy";
import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { startNotifierHarness } from "./harness.ts";
import { TLS, startTlsReceiver } from "./tls-receiver.ts";

/**
 * No retry can help until the configuration changes, so its reason must not be the one of every
 * outage of the network.
 */
outcomeTest(
  "a receiver whose certificate nobody trusts is told by a reason of its own, and not retried for a day (case 21)",
  {
    right: {
      reason: "CertificateNotTrusted",
      ready: "ok\nreceiver hook gets no messages now: CertificateNotTrusted\n",
    },
  },
  async (begin, undo) => {
    const harness = undo.use(await startNotifierHarness());
    const hook = undo.use(await startTlsReceiver());
    const security = { allowedPorts: [hook.port], allowCidrs: ["127.0.0.0/8", "::1/128"] };
    const url = `https://localhost:${hook.port}/hook`;
    const service = await harness.start({
      notifier: { receivers: [{ name: "hook", webhook: { url }, security }] },
    });
    begin();
    await harness.publishEvent("failed", "web");
    const reason = await waitFor(
      async () => {
        const [letter] = await harness.deadLetters();
        const records = await harness.records();
        const waiting = records.find((record) => record.type === "notification");
        return letter?.reason ?? waiting?.attempts[0]?.reason;
      },
      { message: "the first attempt to fail" },
    );
    const ready = await waitFor(async () => {
      const text = await (await fetch(`${service.http()}/readyz`)).text();
      return text.includes("\n") ? text : undefined;
    }).catch(() => "ok");
    return { reason, ready };
  },
);

test.each([
  { how: "directly", isProxied: false },
  { how: "through a tunnel of a proxy", isProxied: true },
])("a receiver is trusted by the CA that caFrom names, $how", async ({ isProxied }) => {
  await using harness = await startNotifierHarness();
  await using hook = await startTlsReceiver();
  await using proxy = await startForwardProxy();
  const security = { allowedPorts: [hook.port], allowCidrs: ["127.0.0.0/8", "::1/128"] };
  const webhook = { url: `https://localhost:${hook.port}/hook` };
  const caFrom = { file: join(TLS, "test.crt") };
  await harness.start({
    notifier: { receivers: [{ name: "hook", webhook, security, caFrom }] },
    env: isProxied ? { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } : {},
  });
  await harness.publishEvent("failed", "web");
  await harness.waitEvent("sent");

  expect(hook.paths).toEqual(["/hook"]);
  expect(proxy.requests).toHaveLength(isProxied ? 1 : 0);
});

test("a CA that is none stops the start, and is named", async () => {
  await using harness = await startNotifierHarness();
  const webhook = { url: "https://hooks.example.com/hook" };
  const started = await harness.start({
    notifier: { receivers: [{ name: "hook", webhook, caFrom: { file: join(TLS, "test.key") } }] },
    wait: false,
  });

  expect(await started.exited).toBe(1);
  expect(JSON.stringify(started.logs)).toContain("hook: caFrom: holds no certificate in PEM");
});
