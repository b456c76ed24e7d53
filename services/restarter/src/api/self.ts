import type { Check } from "@rollcast/runtime/health/health-server";
import type { Consuming } from "@rollcast/nats/consume";
import type { Nats } from "@rollcast/nats/connect";
import type { WatchedKinds } from "../index/kinds.ts";
import type { ApiContext } from "./api-context.ts";

type Parts = {
  readonly instance: string;
  readonly nats: Nats;
  readonly consuming: Consuming;
  readonly kinds: WatchedKinds;
  /** Why Redis is unavailable. */
  readonly redisFault: () => Promise<string | undefined>;
  /** What has stalled without an external cause. */
  readonly still: Check;
};

function named(what: string, fault: string | undefined): string | undefined {
  return fault === undefined ? undefined : `${what}: ${fault}`;
}

/** The status of this replica. */
export async function describeSelf(parts: Parts): ReturnType<ApiContext["self"]> {
  const { instance, nats, consuming, kinds } = parts;
  const [redis, still] = await Promise.all([parts.redisFault(), parts.still()]);
  const faults = [named("nats", nats.fault()), named("redis", redis), still, kinds.ready()].filter(
    (fault) => fault !== undefined,
  );
  const staleness = kinds.staleness();
  const pending = nats.fault() === undefined ? await consuming.pending() : undefined;
  return {
    instance,
    faults: [...faults, ...kinds.notes()],
    redis: redis ?? "ok",
    watchStalenessSeconds: staleness === undefined ? undefined : staleness / 1_000,
    eventsPending: pending,
  };
}
