import { waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";

/** Labels of namespaces are read before any workload, and only for all namespaces. */
const byLabel = { name: "team", match: { namespaceSelector: "team=shop" } };
const queues = [{ name: "default", window: "200ms" }, byLabel];

/** How long the second restarter takes to start: longer than the pause. */
const START_MS = 7_000;

test("what is due while a restarter starts waits until its workloads are known", async () => {
  const config = { queues, scope: {} };
  await using harness = await startRestarterHarness({ cluster: {}, faultProxy: true, config });
  const { proxy } = harness;
  await harness.adopt("cfg", "0");
  const annotations = { "rollcast.dev/auto": "true", "rollcast.dev/pause-period": "3s" };
  await harness.deploy("web", { uses: [{ as: "envFrom", configMap: "cfg" }], annotations });
  await waitRolledOut(harness.api, harness.namespace, "web");
  const first = await harness.start({ kubeconfig: harness.cluster.kubeconfig });
  await harness.waitAll(["web"]);
  proxy.rules([{ path: /\/api\/v1\/namespaces(\?|$)/, fault: { do: "delay", ms: START_MS } }]);
  const second = await harness.start({ wait: false });
  await waitFor(() => proxy.requests.some(({ path }) => path.endsWith("/namespaces")), {
    message: "the second restarter to ask for namespaces",
  });
  // It sees the record that the first one writes, and only it is there when that is due.
  await harness.change("cfg", "1");
  await harness.waitRecord("web", ({ phase }) => phase === "deferred");
  await first.kill();
  await second.waitReady(60_000);
  await harness.waitAll(["web"]);

  const events = await harness.events();
  expect(wordsOf(events, "web")).toEqual(["planned", "deferred", "started", "succeeded"]);
  expect(faultsOf(events)).toEqual([]);
});
