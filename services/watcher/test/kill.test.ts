import { createNamespace } from "@rollcast/testkit/objects";
import { startService } from "@rollcast/testkit/services";
import type { Service } from "@rollcast/testkit/services";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { expect, test } from "vitest";
import { FAILPOINTS } from "../src/failpoints.ts";
import { churn, createOne, each } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { configOf, startHarness } from "./harness.ts";
import type { Harness } from "./harness.ts";

const cluster = useCluster();
const { api } = cluster;
const COUNT = 200;

/** The service as its users run it; `killAt` makes it kill itself at a failpoint of the outbox. */
function startWatcherService(harness: Harness, namespace: string, killAt = ""): Promise<Service> {
  return startService("watcher", {
    config: {
      ...configOf({ namespaces: [namespace] }),
      installationKey: { file: harness.keyFile },
    },
    kubeconfig: cluster.kubeconfig,
    natsUrl: harness.server.url,
    env: { ROLLCAST_TEST_KILL_AT: killAt },
  });
}

test.each(FAILPOINTS)(
  "killed %s, again and again: nothing is lost and nothing published twice",
  async (failpoint) => {
    await using ns = await createNamespace(api, "kill");
    const namespace = ns.name;
    await each(COUNT, (i) => createOne(api, namespace, i));
    await using harness = await startHarness(cluster.dir);
    {
      // In the middle of the first sync; an adopted source has no event, so only the first two
      // failpoints are reached.
      await using first = await startWatcherService(harness, namespace, "after-put:30");
      expect(await first.exited).toBe("SIGKILL");
    }
    {
      await using synced = await startWatcherService(harness, namespace);
      await synced.waitReady();
      expect(await synced.kill()).toBe(0);
    }
    expect(await harness.events()).toEqual([]);

    for (const time of [1, 7, 20]) {
      const [service] = await Promise.all([
        startWatcherService(harness, namespace, `${failpoint}:${time}`),
        churn(api, namespace, COUNT, `${failpoint}-${time}`),
      ]);
      await using dying = service;
      expect(await dying.exited).toBe("SIGKILL");
    }
    await using last = await startWatcherService(harness, namespace);
    await last.waitReady();

    await expectConsistent(harness, api, namespace);
    expect((await harness.events()).length).toBeGreaterThanOrEqual(COUNT);
    expect(await last.kill()).toBe(0);
  },
);
