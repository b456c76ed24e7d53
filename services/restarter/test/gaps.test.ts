import { NEVER_READY } from "@rollcast/testkit/kwok";
import { startNatsProxy } from "@rollcast/testkit/nats-proxy";
import type { NatsProxy, ProxiedMessage } from "@rollcast/testkit/nats-proxy";
import { paths } from "@rollcast/testkit/objects";
import { startRedis } from "@rollcast/testkit/redis-server";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

// Only a watch can notice anything within a test.
const config = { rollout: { resyncInterval: "1h" } };

const NAMES = Array.from({ length: 10 }, (_, i) => `web-${i}`);
const sourceOf = (name: string) => `cfg-of-${name}`;

/** Deploys those whose new pods become ready when the annotation is taken off. */
async function deployAll(harness: RestarterHarness, podAnnotations = {}): Promise<void> {
  await Promise.all(
    NAMES.map(async (name) => {
      await harness.adopt(sourceOf(name), "0");
      const uses = [{ as: "envFrom", configMap: sourceOf(name) }] as const;
      await harness.deploy(name, { uses, replicas: 1, podAnnotations });
    }),
  );
}

/**
 * Kills NATS and starts it again, until the client of the proxy is connected and asks for `what`,
 * which is kept back.
 */
async function throughOutage(harness: RestarterHarness, proxy: NatsProxy, what: string) {
  await harness.nats.kill();
  await waitFor(() => harness.connection.fault() !== undefined);
  const isReopening = ({ from, subject }: ProxiedMessage) =>
    from === "client" && subject.startsWith(`$JS.API.${what}`);
  const hold = proxy.hold(isReopening);
  await harness.nats.restart();
  await waitFor(() => harness.connection.fault() === undefined);
  await hold.reached;
  return hold;
}

/** Until the Deployments have only new pods, and all of them ready. */
async function letPodsBeReady({ api, namespace, get }: RestarterHarness): Promise<void> {
  const annotations = { [NEVER_READY]: null };
  const isComplete = async (name: string) => {
    const { metadata, status } = (await get(name)) as AnyObject & {
      status: Record<string, number>;
    };
    const { observedGeneration, updatedReplicas, availableReplicas, replicas } = status;
    if (observedGeneration !== metadata.generation) return false;
    return [updatedReplicas, availableReplicas, replicas].every((count) => count === 1);
  };
  await waitFor(
    async () => {
      // A pod may be made late.
      const { items } = await api.get<{ items: readonly AnyObject[] }>(paths.pod(namespace));
      await Promise.all(
        items
          .filter(({ metadata }) => metadata.annotations?.[NEVER_READY] !== undefined)
          .map(({ metadata }) =>
            api.patch(paths.pod(namespace, metadata.name), { metadata: { annotations } }),
          ),
      );
      return (await Promise.all(NAMES.map(isComplete))).every(Boolean);
    },
    { message: "the Deployments to be rolled out", timeout: 60_000 },
  );
}

test("rollouts that another replica began while this one was being connected again are followed to their ends", async () => {
  await using harness = await startRestarterHarness({ config });
  await using proxy = await startNatsProxy(harness.nats.port);
  // So that it takes no job of the other one.
  await using redis = await startRedis();
  await deployAll(harness, { [NEVER_READY]: "true" });
  const other = await harness.start();
  await harness.start({ env: { ROLLCAST_NATS_URL: proxy.url, ROLLCAST_REDIS_URL: redis.url } });
  await harness.waitCurrent("Deployment", ...NAMES);

  const hold = await throughOutage(harness, proxy, "CONSUMER.");
  for (const name of NAMES) await harness.change(sourceOf(name), "1");
  for (const name of NAMES)
    await harness.waitRecord(
      name,
      ({ phase, outbox }) => phase === "rolling" && outbox.length === 0,
    );
  await other.kill("SIGKILL");
  hold.release();
  await letPodsBeReady(harness);

  for (const name of NAMES) await harness.waitEvent("succeeded", name);
  expect(faultsOf(await harness.events())).toEqual([]);
});

test("a freeze that another replica set in an outage holds what this one decides after it", async () => {
  await using harness = await startRestarterHarness({ config });
  await using proxy = await startNatsProxy(harness.nats.port);
  await deployAll(harness);
  const restarter = await harness.start({ env: { ROLLCAST_NATS_URL: proxy.url } });
  await harness.waitCurrent("Deployment", ...NAMES);

  const hold = await throughOutage(harness, proxy, "CONSUMER.CREATE.KV_control");
  const { operations } = await harness.operate();
  await operations.freeze({ level: "cluster" }, { by: "anna" });
  await harness.change(sourceOf("web-0"), "1");
  const words = async () => wordsOf(await harness.events(), "web-0");
  const isPutOff = () => restarter.logs.some(({ msg }) => msg === "event requeued");
  await waitFor(async () => isPutOff() || (await words()).includes("started"));
  hold.release();

  await harness.waitRecord("web-0", ({ due }) => due?.reason === "Frozen");
  await harness.waitEvent("planned", "web-0");
  expect(await words()).not.toContain("started");
  expect((await harness.get("web-0")).metadata.generation).toBe(1);
});

test("a freeze that is set while a restarter ends holds the jobs that it finishes", async () => {
  await using harness = await startRestarterHarness({ config });
  await using proxy = await startNatsProxy(harness.nats.port);
  await harness.adopt("cfg", "0");
  await harness.deploy("web", { uses: [{ as: "envFrom", configMap: "cfg" }], replicas: 0 });
  const restarter = await harness.start({ env: { ROLLCAST_NATS_URL: proxy.url } });
  await harness.waitCurrent("Deployment", "web");
  let isPlanned = false;
  let isFrozen = false;
  // The read of the job.
  const hold = proxy.hold(({ from, subject }) => {
    isPlanned ||= subject.startsWith("rollcast.v1.test.rollout.planned.");
    isFrozen ||= from === "server" && subject.startsWith("$KV.control.test.freeze");
    return isPlanned && subject === "$JS.API.STREAM.MSG.GET.KV_workloads";
  });
  await harness.change("cfg", "1");
  await hold.reached;

  const ended = restarter.kill("SIGTERM");
  await restarter.waitLog(({ msg }) => msg === "stopping");
  const { operations } = await harness.operate();
  await operations.freeze({ level: "cluster" }, { by: "anna" });
  await waitFor(() => isFrozen || restarter.hasExited(), { message: "the freeze to be delivered" });
  hold.release();
  await ended;

  await harness.waitRecord("web", ({ due }) => due?.reason === "Frozen");
  expect((await harness.get("web")).metadata.generation).toBe(1);
});
