import type { Check } from "@rollcast/runtime/health/health-server";
import type { Consuming } from "@rollcast/nats/consume";
import type { Nats } from "@rollcast/nats/connect";
import type { WatchedKinds } from "../index/kinds.ts";
import type { ApiContext } from "./api-context.ts";

type Parts = {
  readonly instance: string;
  readonly nats: Nats;
  readonly consumer: Consuming;
  readonly kinds: WatchedKinds;
  /** Asks Redis why it is unavailable. */
  readonly queues: { readonly probe: () => Promise<string | undefined> };
  /** What has stalled without an external cause. */
  readonly stalled: Check;
};

function named(what: string, fault: string | undefined): string | undefined {
  return fault === undefined ? undefined : `${what}: ${fault}`;
}

/** The status of this replica. */
export async function describeSelf(parts: Parts): ReturnType<ApiContext["self"]> {
  const { instance, nats, consumer, kinds, queues } = parts;
  const [redis, stalled] = await Promise.all([queues.probe(), parts.stalled()]);
  const faults = [
    named("nats", nats.fault()),
    named("redis", redis),
    stalled,
    kinds.ready(),
  ].filter((fault) => fault !== undefined);
  const staleness = kinds.staleness();
  const pending = nats.fault() === undefined ? await consumer.pending() : undefined;
  return {
    instance,
    faults: [...faults, ...kinds.notes()],
    redis: redis ?? "ok",
    watchStalenessSeconds: staleness === undefined ? undefined : staleness / 1_000,
    eventsPending: pending,
  };
}
