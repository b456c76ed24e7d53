import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { startCluster } from "@rollcast/testkit/cluster";
import { objectsIn, renderChart } from "@rollcast/testkit/helm";
import { startReceiver } from "@rollcast/testkit/receiver";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { applyAll, available, bindVolumes } from "./apply.ts";
import { adopted, change, demo, ready, rolls, runInstallation } from "./installation.ts";
import type { Node } from "./kubelet.ts";
import { temporaryDir } from "./temporary.ts";

const NAMESPACE = "rollcast";

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
const WAYS: readonly [
  string,
  (dir: string, values: object) => Promise<string>,
  boolean,
  user?: string,
][] = [
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
  [
    "the chart as one process, with a receiver",
    async (dir, values) => {
      const file = join(dir, "values.yaml");
      const allInOne = { enabled: true };
      await writeFile(file, stringify({ ...values, allInOne, createNamespace: true }));
      return renderChart({ values: [file] });
    },
    true,
    "all-in-one",
  ],
];

test.each(WAYS)(
  "%s is taken by the API server, its pods run, and its services, started from it with their own tokens and keys, do the job",
  async (_name, render, delivers, user) => {
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
    const objects = objectsIn(text);

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
    await adopted(node, user);

    await change(api, "demo", "1");
    await rolls(api, "demo", 2);
    if (delivers) {
      const { body } = await receiver.waitFor(
        (request) => request.body.includes("succeeded"),
        30_000,
      );
      expect(body).toContain("demo");
    }
    const output = installation.services.flatMap(({ lines }) => lines).join("\n");
    const refused = output
      .split("\n")
      .filter((line) => !/not provisioned|STREAM.CREATE/.test(line));
    expect(refused.join("\n")).not.toMatch(/Forbidden|Permissions Violation|NOPERM/);
  },
);
