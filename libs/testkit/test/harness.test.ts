import { existsSync } from "node:fs";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { expect, test } from "vitest";
import { startHarness } from "../src/harness/harness.ts";
import { accepts } from "../src/net.ts";
import { waitFor } from "../src/wait.ts";

test("only the parts that are asked for are there, the others say that they are not", async () => {
  await using harness = await startHarness({ redis: {} });

  expect(await accepts(harness.redis.port)).toBe(true);
  expect(() => harness.nats).toThrow("no nats");
  expect(() => harness.api).toThrow("no cluster");
  expect(() => harness.receiver).toThrow("no receiver");
  await expect(harness.connect()).rejects.toThrow("no client");
});

test("disposal takes everything away, the newest first", async () => {
  const { api } = useCluster();
  const order: string[] = [];
  const isRunning = (port: number) => accepts(port).then((is) => (is ? "nats" : "no nats"));
  const harness = await startHarness(
    {
      cluster: "shared",
      namespace: "kit",
      nats: {},
      client: {
        connect: async ({ url }) => ({
          async [Symbol.asyncDispose]() {
            order.push(`connection, ${await isRunning(Number(new URL(url).port))}`);
          },
        }),
      },
    },
    ({ signal }, undo) => {
      undo.defer(() => void order.push(`handles, ${signal.aborted ? "stopping" : "running"}`));
      return { more: 1 };
    },
  );
  const { dir, namespace, nats, more } = harness;
  const local = await harness.run(async ({ stack, signal }) => {
    stack.defer(() => void order.push(`service, ${signal.aborted ? "stopping" : "running"}`));
    return { name: "local" };
  });
  expect([more, local.name]).toEqual([1, "local"]);

  await harness[Symbol.asyncDispose]();

  expect(order).toEqual(["service, stopping", "handles, stopping", "connection, nats"]);
  expect(await isRunning(nats.port)).toBe("no nats");
  expect(existsSync(dir)).toBe(false);
  const gone = () =>
    api.get(`/api/v1/namespaces/${namespace}`).then(
      ({ metadata }) => metadata.deletionTimestamp !== undefined,
      () => true,
    );
  await waitFor(gone, { message: "the namespace to go" });
});

test("what has been started is taken away if a later part cannot start", async () => {
  const ports: number[] = [];
  const failing = startHarness({ nats: {} }, ({ nats }) => {
    ports.push(nats.port);
    throw new Error("no handles");
  });

  await expect(failing).rejects.toThrow("no handles");
  expect(await accepts(ports[0] ?? 0)).toBe(false);
});

test("a service with a scope of every namespace is not started on the shared control plane", async () => {
  await using harness = await startHarness({ cluster: "shared", nats: {} });

  await expect(harness.start("watcher")).rejects.toThrow("a control plane of its own");
});
