import type { RollcastEvent } from "@rollcast/shared/events";
import type { Nats } from "@rollcast/nats/connect";
import { BUCKETS, DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/streams";
import { serverName } from "@rollcast/testkit/nats-cluster";
import type { NatsServer } from "@rollcast/testkit/nats";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { generationOf, setKey, startStack, waitSettled, wordsOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

const STREAMS = [EVENT_STREAM, DEAD_LETTER_STREAM, ...BUCKETS.map((bucket) => `KV_${bucket}`)];
const SERVICES = ["watcher", "restarter", "notifier"] as const;

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `web-${i}`);

async function deploy({ api, namespace }: Stack, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await api.create(paths.configMap(namespace), configMap(namespace, `${name}-cfg`, { a: "0" }));
    const uses = [{ as: "envFrom", configMap: `${name}-cfg` }] as const;
    await api.create(paths.deployment(namespace), deployment(namespace, name, { uses }));
  }
  for (const name of names) await waitRolledOut(api, namespace, name);
}

/** The servers have only begun to look for each other when it starts. */
async function provision(stack: Stack): Promise<void> {
  const step = await stack.start("provision");
  expect(await step.exited).toBe(0);
}

async function leaderOf(stack: Stack, nats: Nats): Promise<NatsServer> {
  const { cluster } = await nats.jsm.streams.info(EVENT_STREAM);
  const leader = stack.natsServers.find((_, index) => serverName(index) === cluster?.leader);
  if (leader === undefined) throw new Error(`no server is the leader ${cluster?.leader}`);
  return leader;
}

function succeeded(events: readonly RollcastEvent[]): Set<string | undefined> {
  const ends = events.filter(({ type }) => type === "dev.rollcast.rollout.succeeded.v1");
  return new Set(ends.map(({ subject }) => subject));
}

/** Waits until every stream has three copies that are all as new as its leader's. */
async function waitCopied(nats: Nats): Promise<void> {
  for (const stream of STREAMS) {
    await waitFor(
      async () => {
        const { config, cluster } = await nats.jsm.streams.info(stream);
        const current = cluster?.replicas?.filter(
          (replica) => replica.current && replica.offline !== true,
        );
        return config.num_replicas === 3 && current?.length === 2;
      },
      { message: `three copies of ${stream}`, timeout: 60_000, every: 200 },
    );
  }
}

/**
 * A notifier that starts without the majority and waits for it. A server that has not noticed yet
 * may answer the first question and not the second, or say that it cannot: that start ends, and the
 * kubelet's next one waits.
 */
async function startLate(stack: Stack): Promise<Service> {
  for (;;) {
    const late = await stack.start("notifier", { wait: false });
    const waits = () => late.logs.some(({ msg }) => msg === "streams not reachable, retrying");
    await waitFor(() => late.hasExited() || waits(), { message: "a notifier to wait for NATS" });
    if (!late.hasExited()) return late;
    const answer = /JetStream system temporarily unavailable|TimeoutError/;
    expect(JSON.stringify(late.logs.findLast(({ err }) => err !== undefined))).toMatch(answer);
  }
}

test("three servers of NATS as the chart has them: one is killed while changes happen, every change rolls once", async () => {
  await using stack = await startStack({ services: [], secured: { servers: 3 } });
  await provision(stack);
  await using nats = await stack.connect();
  await waitCopied(nats);
  const names = numbered(30);
  await deploy(stack, names);
  for (const name of SERVICES) await stack.start(name);
  for (const name of names) await waitSettled(stack, name);

  const leader = await leaderOf(stack, nats);
  // Every write is synced three times, on one disk here.
  const wait = { message: "changes to be rolled", timeout: 180_000, every: 200 };
  for (const [i, name] of names.entries()) {
    if (i === 10) await leader.kill();
    await setKey(stack, `${name}-cfg`, "a", "1");
    if (i === 20) await waitFor(async () => succeeded(await stack.events()).size > 10, wait);
  }
  await waitFor(async () => succeeded(await stack.events()).size === names.length, wait);
  await leader.restart();
  await waitCopied(nats);

  for (const name of names) await waitSettled(stack, name);
  const events = await stack.events();
  for (const name of names) {
    expect(await generationOf(stack, name), name).toBe(2);
    const words = wordsOf(events, name).filter((outcome) => outcome !== "planned");
    expect(words, name).toEqual(["started", "succeeded"]);
  }
  const delivered = () => stack.receiver.received.map(({ body }) => body).join("\n");
  for (const name of names) {
    await waitFor(() => delivered().includes(`"${name}"`), { message: `${name} to be told` });
  }
  for (const service of stack.services) {
    if (service.name !== "provision") expect(service.hasExited(), service.name).toBe(false);
  }
}, 500_000);

/** A server that is alone answers otherwise where it was the leader than where it was not. */
const survivors = ["the stream's leader", "a follower"] as const;

test.each(survivors)(
  "without its majority NATS makes the services unready, not dead, and they go on when it is back: %s lives on",
  async (survivor) => {
    // Everything stands still so long now and then: only that NATS is found at fault keeps `/livez`
    // good.
    const config = { health: { stallTimeout: "1s" } };
    await using stack = await startStack({ services: [], secured: { servers: 3 }, config });
    await provision(stack);
    await using nats = await stack.connect();
    await deploy(stack, ["web"]);
    for (const name of SERVICES) await stack.start(name);
    await waitSettled(stack, "web");
    const probes = (path: string) =>
      Promise.all(
        stack.services
          .filter((service) => service.name !== "provision" && !service.hasExited())
          .map(async (service) => (await fetch(`${service.http()}${path}`)).status),
      );

    const leader = await leaderOf(stack, nats);
    const isLeft = (server: NatsServer) =>
      (server === leader) === (survivor === "the stream's leader");
    const left = stack.natsServers.find(isLeft);
    const others = stack.natsServers.filter((server) => server !== left);
    for (const server of others) await server.kill();
    await waitFor(async () => (await probes("/readyz")).every((status) => status === 503), {
      message: "every service to be unready",
      timeout: 60_000,
    });
    // Whoever has just connected anew may find all well for some seconds yet.
    await waitFor(async () => (await probes("/livez")).every((status) => status === 200), {
      message: "no service to be taken for dead",
      timeout: 60_000,
    });
    const late = await startLate(stack);
    if (survivor === "the stream's leader") {
      const leads = async () => (await nats.jsm.streams.info(EVENT_STREAM)).cluster?.leader;
      await waitFor(async () => (await leads()) === undefined, {
        message: "the server that is left to lead no more",
        timeout: 60_000,
      });
      expect(await probes("/readyz")).not.toContain(200);
      expect(await probes("/livez")).not.toContain(503);
    }
    expect(late.hasExited()).toBe(false);
    await late.kill();
    await setKey(stack, "web-cfg", "a", "1");
    for (const server of others) await server.restart();
    await waitFor(async () => (await probes("/readyz")).every((status) => status === 200), {
      message: "every service to be ready",
      timeout: 60_000,
    });

    await stack.waitEvent("succeeded", "web");
    expect(await generationOf(stack, "web")).toBe(2);
  },
  400_000,
);
