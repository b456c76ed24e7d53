import type { HealthSource } from "@rollcast/runtime/health/service-health";
import type { Context } from "./context.ts";
import { unavailable } from "./model/named-reflector.ts";
import type { NamedReflector } from "./model/named-reflector.ts";

/** How the watches of sources are. They are not ready before their first sync. */
export function watcherHealth(
  reflectors: readonly NamedReflector[],
  { pool }: Pick<Context, "pool">,
) {
  return {
    ready() {
      for (const named of reflectors) {
        const fault = named.reflector.fault();
        if (fault !== undefined && unavailable(named) === undefined)
          return `${named.name}: ${fault}`;
      }
      return undefined;
    },
    notes: () =>
      reflectors.flatMap((named) => {
        const fault = unavailable(named);
        return fault === undefined
          ? []
          : [`${named.name} is not followed, its API fails: ${fault}`];
      }),
    progress() {
      // Bookmarks arrive every minute, so a quiet cluster does not count as stalled. If the API
      // server is at fault, a restart does not help.
      const watches = reflectors
        .filter(({ reflector }) => reflector.fault() === undefined)
        .map(({ name, reflector }) => ({
          what: `${name}: nothing consumed`,
          ms: reflector.staleness(),
        }));
      return [...watches, { what: "a source is in flight", ms: pool.oldestMs() }];
    },
  } satisfies HealthSource;
}
