import process from "node:process";
import { startFaultProxy } from "@rollcast/testkit/fault-proxy";
import { kubeconfigFor } from "@rollcast/testkit/write-kubeconfig";
import { waitRolledOut } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRig, wordsOf } from "./rig.ts";

const NAME = "web-0";

test("a patch that is refused because another restarter has made it is no failure, and the content is rolled once (defect 40)", async () => {
  const cluster = useCluster();
  await using proxy = await startFaultProxy(cluster);
  await using rig = await startRig();
  await rig.adopt("cfg", "0");
  await rig.deployMany(1);
  await waitRolledOut(rig.api, rig.namespace, NAME);
  const kubeconfig = await kubeconfigFor(cluster, "admin", proxy.url);
  const slower = await rig.start({ kubeconfig });
  await rig.waitAll([NAME]);

  // Each goes on with the generation that it has seen last: neither sees the patch by its watch.
  proxy.rules([{ path: /\/deployments\?.*watch=/, fault: { do: "stall" } }]);
  process.kill(slower.pid, "SIGSTOP");
  await rig.change("cfg", "1");
  const env = { ROLLCAST_TEST_KILL_AT: "patched" };
  const faster = await rig.start({ kubeconfig, env, wait: false });
  expect(await faster.exited).toBe("SIGKILL");
  expect((await rig.get(NAME)).metadata.generation).toBe(2);
  process.kill(slower.pid, "SIGCONT");
  // The job is locked for the one that is gone: where Redis forgets it, the other gets its own.
  await rig.redis.restart({ empty: true });
  const patches = () =>
    proxy.requests.filter(({ method, path }) => method === "PATCH" && path.endsWith(`/${NAME}`));
  await waitFor(() => patches().length > 1, { message: "the second patch" });
  await rig.waitRecord(NAME, ({ phase }) => phase !== "pending");
  proxy.rules([]);
  await rig.waitAll([NAME]);

  expect((await rig.get(NAME)).metadata.generation).toBe(2);
  const events = await rig.events();
  expect(wordsOf(events, NAME)).not.toContain("failed");
  expect(faultsOf(events)).toEqual([]);
});
