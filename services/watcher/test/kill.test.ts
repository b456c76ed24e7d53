import type { Service } from "@rollcast/testkit/services";
import { expect, test } from "vitest";
import { FAILPOINTS } from "../src/failpoints.ts";
import { churn, createObject, each } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { startWatcherHarness } from "./harness.ts";
import type { WatcherHarness } from "./harness.ts";

const COUNT = 200;

/** `killAt` makes the watcher kill itself at a failpoint of the outbox. */
function startToDie(harness: WatcherHarness, killAt: string): Promise<Service> {
  return harness.start({ env: { ROLLCAST_TEST_KILL_AT: killAt }, wait: false });
}

test.each(FAILPOINTS)(
  "killed %s, again and again: nothing is lost and nothing published twice",
  async (failpoint) => {
    await using harness = await startWatcherHarness();
    const { api, namespace } = harness;
    await each(COUNT, (i) => createObject(api, namespace, i));
    {
      // In the middle of the first sync; an adopted source has no event, so only the first two
      // failpoints are reached.
      await using first = await startToDie(harness, "after-put:30");
      expect(await first.exited).toBe("SIGKILL");
    }
    {
      await using synced = await harness.start();
      expect(await synced.kill()).toBe(0);
    }
    expect(await harness.events()).toEqual([]);

    for (const time of [1, 7, 20]) {
      const [service] = await Promise.all([
        startToDie(harness, `${failpoint}:${time}`),
        churn(api, namespace, COUNT, `${failpoint}-${time}`),
      ]);
      await using dying = service;
      expect(await dying.exited).toBe("SIGKILL");
    }
    await using last = await harness.start();

    await expectConsistent(harness);
    expect((await harness.events()).length).toBeGreaterThanOrEqual(COUNT);
    expect(await last.kill()).toBe(0);
  },
);
