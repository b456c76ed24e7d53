import { createNamespace } from "@rollcast/testkit/objects";
import { startService } from "@rollcast/testkit/services";
import type { Service } from "@rollcast/testkit/services";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { expect, test } from "vitest";
import { STEPS } from "../src/failpoints.ts";
import { churn, createOne, each } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { configOf, startBed } from "./stack.ts";
import type { Bed } from "./stack.ts";

const cluster = useCluster();
const { api } = cluster;
const COUNT = 200;

/** The service as its users run it; `killAt` makes it kill itself at a step of the outbox. */
function startWatcherService(bed: Bed, namespace: string, killAt = ""): Promise<Service> {
  return startService("watcher", {
    config: {
      ...configOf({ namespaces: [namespace] }),
      installationKey: { file: bed.keyFile },
    },
    kubeconfig: cluster.kubeconfig,
    natsUrl: bed.server.url,
    env: { ROLLCAST_TEST_KILL_AT: killAt },
  });
}

test.each(STEPS)(
  "killed %s, again and again: nothing is lost and nothing told twice",
  async (step) => {
    await using ns = await createNamespace(api, "kill");
    const namespace = ns.name;
    await each(COUNT, (i) => createOne(api, namespace, i));
    await using bed = await startBed(cluster.dir);
    {
      // In the middle of the first sync; what is adopted has no event, so only the first two steps are ever reached.
      await using first = await startWatcherService(bed, namespace, "after-put:30");
      expect(await first.exited).toBe("SIGKILL");
    }
    {
      await using synced = await startWatcherService(bed, namespace);
      await synced.waitReady();
      expect(await synced.kill()).toBe(0);
    }
    expect(await bed.events()).toEqual([]);

    for (const time of [1, 7, 20]) {
      const [service] = await Promise.all([
        startWatcherService(bed, namespace, `${step}:${time}`),
        churn(api, namespace, COUNT, `${step}-${time}`),
      ]);
      await using dying = service;
      expect(await dying.exited).toBe("SIGKILL");
    }
    await using last = await startWatcherService(bed, namespace);
    await last.waitReady();

    await expectConsistent(bed, api, namespace);
    expect((await bed.events()).length).toBeGreaterThanOrEqual(COUNT);
    expect(await last.kill()).toBe(0);
  },
);
