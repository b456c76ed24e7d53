import { setTimeout as sleep } from "node:timers/promises";
import { openKv } from "@rollcast/nats/kv";
import { openKvCache } from "@rollcast/nats/kv-cache";
import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import { startHarness } from "@rollcast/testkit/harness/harness";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { ControlEntry, stateKey } from "../src/model/control-entry.ts";
import { createQuotaStore } from "../src/admission/quota-store.ts";
import type { QuotaStore } from "../src/admission/quota-store.ts";
import { mayReserve } from "../src/decision/blocking-gate.ts";
import { client } from "./harness.ts";

function startStores(count: number) {
  return startHarness({ nats: {}, client }, async ({ connect, signal }) => {
    const open = async () => {
      const { cache, kv } = await openKvCache({
        kv: await openKv(await connect(), "control", ControlEntry),
        filter: `${CLUSTER}.>`,
        signal,
      });
      return {
        cache,
        quotaStore: createQuotaStore({ cluster: CLUSTER, kv, cache, flush: () => undefined }),
      };
    };
    return { stores: await Promise.all(Array.from({ length: count }, open)) };
  });
}

const limits = { maxRolling: 5 };

function reserveQuota(quotaStore: QuotaStore, key: string): Promise<boolean> {
  return quotaStore.change("q", (state) => {
    if (!mayReserve(state, limits, { key, changes: [], haltAfter: 3 }))
      return { state, answer: false };
    const quotaUse = { rollout: key, since: 1, changes: [] };
    return { state: { ...state, rolling: { ...state.rolling, [key]: quotaUse } }, answer: true };
  });
}

function releaseQuota(quotaStore: QuotaStore, key: string): Promise<number> {
  return quotaStore.change(
    "q",
    (state) => {
      const { [key]: gone, ...rolling } = state.rolling;
      const answer = Object.keys(rolling).length;
      return { state: gone === undefined ? state : { ...state, rolling }, answer };
    },
    { fresh: true },
  );
}

test("three replicas that reserve and release at once never exceed the quota, and lose none of it", async () => {
  await using world = await startStores(3);
  let held = 0;
  let most = 0;
  let done = 0;
  const workload = async (quotaStore: QuotaStore, key: string) => {
    await waitFor(() => reserveQuota(quotaStore, key), {
      timeout: 60_000,
      every: 5,
      message: "a slot",
    });
    held += 1;
    most = Math.max(most, held);
    await sleep(3);
    // A workload that leaves counts as gone from here on: the next may enter before the response
    // arrives.
    held -= 1;
    await releaseQuota(quotaStore, key);
    done += 1;
  };
  const keys = Array.from({ length: 120 }, (_, i) => `Deployment/ns-${i % 3}/web-${i}`);
  await Promise.all(
    keys.map((key, i) => {
      const store = world.stores[i % 3];
      if (store === undefined) throw new Error("no store");
      return workload(store.quotaStore, key);
    }),
  );
  expect(done).toBe(120);
  expect(most).toBeLessThanOrEqual(limits.maxRolling);
  expect(most).toBeGreaterThan(1);
  for (const { cache } of world.stores) {
    await waitFor(() => {
      const entry = cache.get(stateKey(CLUSTER, "q"))?.value;
      return entry?.type === "state" && Object.keys(entry.rolling).length === 0;
    });
  }
});

test("a cache that missed everything during an outage of NATS catches up when it is back", async () => {
  await using world = await startStores(2);
  const [first, second] = world.stores;
  if (first === undefined || second === undefined) throw new Error("no stores");
  expect(await reserveQuota(first.quotaStore, "Deployment/a/1")).toBe(true);
  await world.nats.kill();
  await world.nats.restart();
  await waitFor(() => reserveQuota(second.quotaStore, "Deployment/a/2"), {
    message: "NATS to take a write",
  });
  const size = (cache: typeof first.cache) => {
    const entry = cache.get(stateKey(CLUSTER, "q"))?.value;
    return entry?.type === "state" ? Object.keys(entry.rolling).length : 0;
  };
  await waitFor(() => size(first.cache) === 2, { message: "the mirror to catch up" });
  // Its result is the server's, although no watch reported it.
  expect(await releaseQuota(first.quotaStore, "Deployment/a/2")).toBe(1);
  await waitFor(() => size(second.cache) === 1);
});
