import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { createLogger } from "@rollcast/shared/logger";
import { connectNats } from "@rollcast/shared/nats/connect";
import { openKv } from "@rollcast/shared/nats/kv";
import { repositoryRoot, serverBinary } from "@rollcast/testkit/binaries";
import type { AnyObject, Api } from "@rollcast/testkit/client";
import { startCluster } from "@rollcast/testkit/cluster";
import { renderChart } from "@rollcast/testkit/helm";
import { accepts, freePort } from "@rollcast/testkit/net";
import { configMap, deployment, paths, waitRolledOut } from "@rollcast/testkit/objects";
import type { Running } from "@rollcast/testkit/process";
import { startReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import { fit, runPod } from "./kubelet.ts";
import type { Node, PodTemplate } from "./kubelet.ts";
import { applyAll, available, bindVolumes } from "./apply.ts";
import { temporaryDir } from "./temporary.ts";

const NAMESPACE = "rollcast";

function templateOf(objects: readonly AnyObject[], kind: string, name: string): PodTemplate {
  const found = objects.find(
    (one) => one.kind === kind && one.metadata.name.startsWith(`rollcast-${name}`),
  );
  if (found === undefined) throw new Error(`no ${kind} ${name} was rendered`);
  return (found.spec as { template: PodTemplate }).template;
}

/** A service that runs, and every line it logged. */
type Service = { readonly running: Running; readonly lines: readonly string[] };

/** The installation on this machine: each container of the rendered pods as a process. */
async function runInstallation(node: Node, objects: readonly AnyObject[]) {
  await using undo = new AsyncDisposableStack();
  const main = (service: string) => join(repositoryRoot(), "services", service, "src", "main.ts");
  const run = async (kind: string, name: string): Promise<Service> => {
    const lines: string[] = [];
    const running = undo.use(
      await runPod(node, {
        name,
        template: templateOf(objects, kind, name),
        command: async ([entry, ...args], mounts) => {
          const config = mounts.get("/etc/rollcast/config");
          if (config !== undefined) await rewrite(node, mounts, join(config, "rollcast.yaml"));
          const file = entry === undefined ? main(name) : join(repositoryRoot(), entry);
          return [process.execPath, file, ...args];
        },
        env: { ROLLCAST_HTTP_PORT: "0" },
        onLine: (line) => lines.push(line),
      }),
    );
    return { running, lines };
  };
  const done = async (job: string) => {
    const { running } = await run("Job", job);
    expect(await running.exited, running.output()).toBe(0);
  };
  await done("keys");
  undo.use(await startNatsPod(node, objects));
  undo.use(await startRedisPod(node, objects));
  const services: Service[] = [];
  for (const name of ["watcher", "restarter", "notifier"]) {
    services.push(await run("Deployment", name));
  }
  await done("provision");
  const kept = undo.move();
  return { services, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function rewrite(node: Node, mounts: ReadonlyMap<string, string>, file: string) {
  await writeFile(file, fit(node, mounts, await readFile(file, "utf8")));
}

async function listening(node: Node, service: string, running: Running): Promise<void> {
  const port = Number(node.hosts.get(service)?.split(":")[1]);
  await waitFor(
    () => {
      if (running.hasExited()) throw new Error(`${service} ended: ${running.output()}`);
      return accepts(port);
    },
    { message: `${service} to listen` },
  );
}

async function startNatsPod(node: Node, objects: readonly AnyObject[]): Promise<Running> {
  const port = await freePort();
  node.hosts.set("rollcast-nats:4222", `127.0.0.1:${port}`);
  const here: Node = {
    ...node,
    hosts: new Map([
      ["0.0.0.0:4222", `127.0.0.1:${port}`],
      ["0.0.0.0:8222", `127.0.0.1:${await freePort()}`],
    ]),
  };
  const running = await runPod(here, {
    name: "nats",
    template: templateOf(objects, "StatefulSet", "nats"),
    command: async (args, mounts) => {
      await rewrite(here, mounts, join(mounts.get("/etc/nats") ?? "", "nats.conf"));
      return [serverBinary("nats-server"), ...args];
    },
  });
  await listening(node, "rollcast-nats:4222", running);
  return running;
}

async function startRedisPod(node: Node, objects: readonly AnyObject[]): Promise<Running> {
  const port = await freePort();
  node.hosts.set("rollcast-redis:6379", `127.0.0.1:${port}`);
  const running = await runPod(node, {
    name: "redis",
    template: templateOf(objects, "StatefulSet", "redis"),
    command: async (args) => ["redis-server", ...args, "--port", String(port)],
  });
  await listening(node, "rollcast-redis:6379", running);
  return running;
}

/** A Deployment in a namespace of its own whose ConfigMap is changed: the demo. */
async function demo(api: Api, namespace: string): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
}

async function ready({ running, lines }: Service): Promise<void> {
  await waitFor(
    async () => {
      if (running.hasExited()) throw new Error(`ended: ${running.output()}`);
      const line = lines.find((one) => one.includes("http server listening")) ?? "{}";
      const { port } = JSON.parse(line) as { port?: number };
      return (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200;
    },
    { message: "a service to be ready", timeout: 60_000 },
  ).catch((err: unknown) => {
    throw new Error(running.output(), { cause: err });
  });
}

/** Waits until the restarter knows what the workload runs with, so that a change after it is one; asked as the restarter itself. */
async function adopted(node: Node): Promise<void> {
  await using nats = await connectNats({
    url: `nats://${node.hosts.get("rollcast-nats:4222")}`,
    name: "restarter",
    logger: createLogger("test", "silent"),
    nkey: { file: join(node.dir, "restarter", "identity", "nats.nk") },
  });
  const records = await openKv(nats, "workloads", z.object({ phase: z.string() }));
  await waitFor(
    async () => (await records.get("default.deployment.demo.web"))?.value.phase === "current",
    { message: "the record of web" },
  );
}

const RECEIVER = (port: number, url: string) => ({
  config: {
    notifier: {
      route: { groupWait: "300ms" },
      receivers: [
        {
          name: "hook",
          webhook: { url, format: "cloudevents" },
          security: { allowHttp: true, allowCidrs: ["127.0.0.0/8"], allowedPorts: [port] },
        },
      ],
    },
  },
});

/** What is installed, and whether somebody is told. */
const WAYS: readonly [string, (dir: string, values: object) => Promise<string>, boolean][] = [
  [
    "deploy/install.yaml",
    () => readFile(join(repositoryRoot(), "deploy", "install.yaml"), "utf8"),
    false,
  ],
  [
    "the chart with a receiver, in two namespaces with Roles only",
    async (dir, values) => {
      const file = join(dir, "values.yaml");
      const rollcast = { watchGlobally: false, namespaces: ["demo", "other"] };
      await writeFile(file, stringify({ ...values, rollcast, createNamespace: true }));
      return renderChart({ values: [file] });
    },
    true,
  ],
];

test.each(WAYS)(
  "%s is taken by the API server, its pods run, and its services, started from it with their own tokens and keys, do the job",
  async (_name, render, told) => {
    await using undo = new AsyncDisposableStack();
    const cluster = undo.use(await startCluster());
    const { dir } = undo.use(await temporaryDir("install"));
    const receiver = undo.use(await startReceiver());
    const { api } = cluster;
    for (const name of ["demo", "other"]) {
      const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      await api.create("/api/v1/namespaces", body);
    }
    const text = await render(dir, RECEIVER(receiver.port, `${receiver.url}/hook`));
    const objects = parseAllDocuments(text)
      .map((doc) => doc.toJS() as AnyObject | null)
      .filter((object) => object !== null);

    await applyAll(api, objects);
    // Again changes nothing.
    await applyAll(api, objects);
    await bindVolumes(api, NAMESPACE);
    await available(api, objects);

    await demo(api, "demo");
    const { url, caFile } = cluster;
    const node: Node = { api, url, caFile, namespace: NAMESPACE, dir, hosts: new Map() };
    const installation = undo.use(await runInstallation(node, objects));
    for (const service of installation.services) await ready(service);
    await adopted(node);

    await api.patch(paths.configMap("demo", "cfg"), { data: { a: "1" } }, "kubectl-edit");
    await waitFor(
      async () =>
        (await api.get<AnyObject>(paths.deployment("demo", "web"))).metadata.generation === 2,
      { message: "the Deployment to be rolled", timeout: 30_000 },
    );
    if (told) {
      const { body } = await receiver.waitFor((one) => one.body.includes("succeeded"), 30_000);
      expect(body).toContain("demo");
    }
    const output = installation.services.flatMap(({ lines }) => lines).join("\n");
    const refused = output
      .split("\n")
      .filter((line) => !/not provisioned|STREAM.CREATE/.test(line));
    expect(refused.join("\n")).not.toMatch(/Forbidden|Permissions Violation|NOPERM/);
  },
);
