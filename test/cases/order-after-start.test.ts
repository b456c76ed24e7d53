import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { openWorld } from "./world.ts";

/** What is shown counts for the order of writes if it is more than a minute apart. */
const APART_MS = 65_000;

// It takes nearly three minutes: `pnpm run test:writers`.
test.runIf(process.env.ROLLCAST_WRITERS === "every")(
  "a restarter that has started a minute ago rolls what one command writes once, though the watch of the source lags",
  { timeout: 400_000 },
  async () => {
    await using own = await openWorld({ places: ["order"], services: [] });
    const { stack } = own;
    await stack.start("watcher");
    const before = await stack.start("restarter");
    const place = own.place("order");
    const { api, namespace } = place;
    await place.source();
    await place.deploy("web");
    await place.change();
    await place.firstOf("web", ["succeeded"]);
    await place.adopted("web");
    await before.kill();
    await sleep(APART_MS);
    await stack.start("restarter");
    await sleep(APART_MS);

    const skip = place.events("web").length;
    const made = await place.podsMade("web");
    place.faults([{ path: /configmaps\?.*watch=/, fault: { do: "stall" } }]);
    await place.change();
    await api.patch(paths.deployment(namespace, "web"), {
      spec: { template: { metadata: { annotations: { release: "2" } } } },
    });
    const isSeen = async () =>
      (await place.record("web"))?.generation === (await place.generation("web"));
    await waitFor(isSeen, { message: "the release to be seen" });
    // By the clock the change is of another second than the release.
    await sleep(1_500);
    place.faults([]);
    await place.planned("cfg");
    await place.endOfPlanned("web", skip);
    await waitRolledOut(api, namespace, "web");
    expect(place.events("web").slice(skip)).toEqual([]);
    expect((await place.podsMade("web")) - made).toBe(1);
  },
);
