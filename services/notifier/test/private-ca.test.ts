import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { waitFor } from "@rollcast/testkit/wait";
import { startNotifierHarness } from "./harness.ts";
import { startTlsReceiver } from "./tls-receiver.ts";

/**
 * No retry can help until the configuration changes, so its reason must not be the one of every
 * outage of the network.
 */
outcomeTest(
  "a receiver whose certificate nobody trusts is told by a reason of its own, and not retried for a day (case 21)",
  {
    right: { reason: "CertificateNotTrusted" },
    knownToFail: { reason: "Network" },
  },
  async (begin, undo) => {
    const harness = undo.use(await startNotifierHarness());
    const hook = undo.use(await startTlsReceiver());
    const security = { allowedPorts: [hook.port], allowCidrs: ["127.0.0.0/8", "::1/128"] };
    const url = `https://localhost:${hook.port}/hook`;
    await harness.start({
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
    return { reason };
  },
);
