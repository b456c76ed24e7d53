import process from "node:process";
import { waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";

const NAME = "web-0";

test("a patch that is refused because another restarter has made it is no failure, and the content is rolled once (defect 40)", async () => {
  await using harness = await startRestarterHarness({ faultProxy: true });
  const { proxy } = harness;
  await harness.adopt("cfg", "0");
  await harness.deployMany(1);
  await waitRolledOut(harness.api, harness.namespace, NAME);
  const slower = await harness.start();
  await harness.waitAll([NAME]);

  // Each goes on with the generation that it has seen last: neither sees the patch by its watch.
  proxy.rules([{ path: /\/deployments\?.*watch=/, fault: { do: "stall" } }]);
  process.kill(slower.pid, "SIGSTOP");
  await harness.change("cfg", "1");
  const env = { ROLLCAST_TEST_KILL_AT: "patched" };
  const faster = await harness.start({ env, wait: false });
  expect(await faster.exited).toBe("SIGKILL");
  expect((await harness.get(NAME)).metadata.generation).toBe(2);
  process.kill(slower.pid, "SIGCONT");
  // The job is locked for the one that is gone: where Redis forgets it, the other gets its own.
  await harness.redis.restart({ empty: true });
  const patches = () =>
    proxy.requests.filter(({ method, path }) => method === "PATCH" && path.endsWith(`/${NAME}`));
  await waitFor(() => patches().length > 1, { message: "the second patch" });
  await harness.waitRecord(NAME, ({ phase }) => phase !== "pending");
  proxy.rules([]);
  await harness.waitAll([NAME]);

  expect((await harness.get(NAME)).metadata.generation).toBe(2);
  const events = await harness.events();
  expect(wordsOf(events, NAME)).not.toContain("failed");
  expect(faultsOf(events)).toEqual([]);
});
