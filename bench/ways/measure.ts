import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import type { Passage } from "./passage.ts";
import { STRETCHES } from "./stretches.ts";
import { wayOf } from "./way.ts";
import type { Way } from "./way.ts";
import { openWorld } from "./world.ts";

/** Changes after which a service has done everything that it does once. */
const WARM = 3;
/** Changes of which the order is looked at. */
const ORDERED = 3;
/** Between two changes, milliseconds: the timers of the services meet each at another moment. */
const REST_MS = 500;
const MAX_REST_MS = 2_500;
const SHIFT_MS = 377;

function passagesOf({ logs }: Service): Passage[] {
  return logs.filter(({ msg }) => msg === "way") as unknown as Passage[];
}

/** The ways of the checkout at `root`, in the order of `STRETCHES`, by so many changes. */
export async function measureWays(root: string, counted: number): Promise<Way[]> {
  await using world = await openWorld(root, WARM + counted);
  const changes = WARM + counted + ORDERED;
  for (let i = 1; i <= changes; i++) {
    await sleep(REST_MS + ((i * SHIFT_MS) % (MAX_REST_MS - REST_MS)));
    await world.change(String(i));
  }
  return Promise.all(
    world.services.map(async (service, i) => {
      await waitFor(() => passagesOf(service).length === changes, {
        message: `${service.name} to have seen ${changes} changes`,
      });
      const title = STRETCHES[i]?.title ?? service.name;
      return wayOf({ service: service.name, title }, passagesOf(service).slice(WARM));
    }),
  );
}
