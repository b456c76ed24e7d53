import { waitFor } from "@rollcast/testkit/wait";
import { createLogger } from "@rollcast/runtime/logger";
import { expect, test } from "vitest";
import type { Context } from "../context.ts";
import { startSweeping } from "./resync.ts";

const logger = createLogger("test", "silent");
const following = { see: () => undefined, stale: () => ({ count: 0 }) } as never;
const hanging = () => new Promise<never>(() => undefined);

function context(snapshot: () => AsyncIterable<never>): Context {
  const index = {
    all: () => [{ kind: "Deployment", namespace: "app", name: "web", mayRoll: true }],
  };
  const metrics = { sweepSeconds: { observe: () => undefined } };
  return { cluster: "test", logger, index, metrics, records: { snapshot } } as never;
}

async function* nothing(): AsyncGenerator<never> {}

async function* neverRead(): AsyncGenerator<never> {
  yield await hanging();
}

test("a workload that is never settled does not keep the next sweep from the others", async () => {
  const asked: string[] = [];
  const settler = { request: (key: string) => asked.push(key), idle: hanging } as never;
  await using sweeping = startSweeping(context(nothing), settler, following, 20);

  await waitFor(() => asked.length > 2);
  expect(sweeping.inHandMs()).toBe(0);
});

test("a sweep that stands still is seen by its age", async () => {
  const settler = { request: () => undefined, idle: async () => undefined } as never;
  const sweeping = startSweeping(context(neverRead), settler, following, 20);

  const seen = await waitFor(() => sweeping.inHandMs() > 50);
  expect(seen).toBe(true);
});
