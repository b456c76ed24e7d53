import process from "node:process";
import { waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRig, wordsOf } from "./rig.ts";

const NAME = "web-0";

test("a patch that is refused because another restarter has made it is no failure, and the content is rolled once (defect 40)", async () => {
  await using rig = await startRig({ faultProxy: true });
  const { proxy } = rig;
  await rig.adopt("cfg", "0");
  await rig.deployMany(1);
  await waitRolledOut(rig.api, rig.namespace, NAME);
  const slower = await rig.start();
  await rig.waitAll([NAME]);

  // Each goes on with the generation that it has seen last: neither sees the patch by its watch.
  proxy.rules([{ path: /\/deployments\?.*watch=/, fault: { do: "stall" } }]);
  process.kill(slower.pid, "SIGSTOP");
  await rig.change("cfg", "1");
  const env = { ROLLCAST_TEST_KILL_AT: "patched" };
  const faster = await rig.start({ env, wait: false });
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
