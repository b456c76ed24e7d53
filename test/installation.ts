import { join } from "node:path";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { freePort } from "@rollcast/testkit/net";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { untilReady } from "@rollcast/testkit/process";
import type { Running } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";
import { expect } from "vitest";
import { z } from "zod";
import { httpPortIn, natsCommand, redisCommand, serviceCommand } from "./images.ts";
import { runPod } from "./kubelet.ts";
import type { Node, PodTemplate } from "./kubelet.ts";

function templateOf(objects: readonly AnyObject[], kind: string, name: string): PodTemplate {
  const object = objects.find(
    (candidate) =>
      candidate.kind === kind && candidate.metadata.name.startsWith(`rollcast-${name}`),
  );
  if (object === undefined) throw new Error(`no ${kind} ${name} was rendered`);
  return (object.spec as { template: PodTemplate }).template;
}

/** Names of the services that run all the time. */
function deployed(objects: readonly AnyObject[]): string[] {
  return objects
    .filter(({ kind }) => kind === "Deployment")
    .map(({ metadata }) => metadata.name.replace("rollcast-", ""));
}

/** A service that runs, and every line it logged. */
export type Service = { readonly running: Running; readonly lines: readonly string[] };

/** The installation on this machine: each container of the rendered pods as a process. */
export async function runInstallation(node: Node, objects: readonly AnyObject[]) {
  await using undo = new AsyncDisposableStack();
  const run = async (kind: string, name: string): Promise<Service> => {
    const lines: string[] = [];
    const running = undo.use(
      await runPod(node, {
        name,
        template: templateOf(objects, kind, name),
        command: serviceCommand(node, name),
        env: { ROLLCAST_HTTP_PORT: "0" },
        onLine: (line) => lines.push(line),
      }),
    );
    return { running, lines };
  };
  const done = async (job: string) => {
    const { running } = await run("Job", job);
    const isEnded = () => running.hasExited();
    await waitFor(isEnded, { message: `the end of Job ${job}`, timeout: 60_000 });
    expect(await running.exited, running.output()).toBe(0);
  };
  await done("keys");
  undo.use(await startNatsPod(node, objects));
  undo.use(await startRedisPod(node, objects));
  const services: Service[] = [];
  for (const name of deployed(objects)) services.push(await run("Deployment", name));
  await done("provision");
  const kept = undo.move();
  return { services, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** By its own word: the port may have become somebody else's. */
function listening(name: string, running: Running, ready: string): Promise<void> {
  return untilReady(name, running, () => running.output().includes(ready));
}

async function startNatsPod(node: Node, objects: readonly AnyObject[]): Promise<Running> {
  const port = await freePort();
  node.hosts.set("rollcast-nats:4222", `127.0.0.1:${port}`);
  const running = await runPod(node, {
    name: "nats",
    template: templateOf(objects, "StatefulSet", "nats"),
    command: natsCommand(node, { client: port, monitor: await freePort() }),
  });
  await listening("NATS", running, "Server is ready");
  return running;
}

async function startRedisPod(node: Node, objects: readonly AnyObject[]): Promise<Running> {
  const port = await freePort();
  node.hosts.set("rollcast-redis:6379", `127.0.0.1:${port}`);
  const running = await runPod(node, {
    name: "redis",
    template: templateOf(objects, "StatefulSet", "redis"),
    command: redisCommand(port),
  });
  await listening("Redis", running, "Ready to accept connections");
  return running;
}

/** A Deployment in a namespace of its own whose ConfigMap is changed: the demo. */
export async function demo(api: Api, namespace: string): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
}

/** Changes the ConfigMap of the demo. */
export async function change(api: Api, namespace: string, value: string): Promise<void> {
  await api.patch(paths.configMap(namespace, "cfg"), { data: { a: value } }, "kubectl-edit");
}

/** Waits until the Deployment of the demo is of this generation, and no other. */
export async function rolls(api: Api, namespace: string, generation: number): Promise<void> {
  const path = paths.deployment(namespace, "web");
  await waitFor(
    async () => {
      const current = (await api.get<AnyObject>(path)).metadata.generation ?? 0;
      expect(current).toBeLessThanOrEqual(generation);
      return current === generation;
    },
    { message: `generation ${generation} of the Deployment`, timeout: 30_000 },
  );
}

export async function ready({ running, lines }: Service): Promise<void> {
  await waitFor(
    async () => {
      if (running.hasExited()) throw new Error(`ended: ${running.output()}`);
      return (await fetch(`http://127.0.0.1:${httpPortIn(lines)}/readyz`)).status === 200;
    },
    { message: "a service to be ready", timeout: 60_000 },
  ).catch((err: unknown) => {
    throw new Error(running.output(), { cause: err });
  });
}

/** Connects to the installation's NATS with the key in a file, within so many milliseconds. */
export function connectAs(
  node: Node,
  { user, file }: { readonly user: string; readonly file: string },
  timeoutMs: number,
): Promise<Nats> {
  const url = `nats://${node.hosts.get("rollcast-nats:4222")}`;
  const logger = createLogger("test", "silent");
  const identity = { url, name: user, logger, nkey: { file } };
  return connectNats(identity, AbortSignal.timeout(timeoutMs));
}

/**
 * Waits until the restarter knows what the workload runs with, so that a change after it is one;
 * asked as the restarter itself, or as `user`.
 */
export async function adopted(node: Node, user = "restarter"): Promise<void> {
  const file = join(node.dir, user, "identity", "nats.nk");
  await using nats = await connectAs(node, { user, file }, 30_000);
  const records = await openKv(nats, "workloads", z.object({ phase: z.string() }));
  await waitFor(
    async () => (await records.get("default.deployment.demo.web"))?.value.phase === "current",
    { message: "the record of web" },
  );
}
