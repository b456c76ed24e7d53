import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseConfig } from "@rollcast/runtime/config/load";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { exampleValues, renderedFiles } from "@rollcast/testkit/chart";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { chartDir, helm, objectsIn, renderChart } from "@rollcast/testkit/helm";
import { afterAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { temporaryDir } from "./temporary.ts";

const rendered = await renderedFiles();
const scratch = await temporaryDir("chart");
afterAll(() => scratch[Symbol.asyncDispose]());

describe.each(rendered.map((output) => [output.file.split("/").at(-1) ?? "", output] as const))(
  "%s",
  (_name, { file, render }) => {
    test("is what the chart renders: `pnpm render` renews it", async () => {
      expect(await render()).toBe(await readFile(file, "utf8"));
    });

    test("holds a rollcast.yaml that the services take", async () => {
      const [config] = objectsIn(await readFile(file, "utf8"))
        .filter(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "rollcast")
        .map(({ data }) => (data as Record<string, string>)["rollcast.yaml"] ?? "");
      expect(parseConfig(config ?? "", file).apiVersion).toBe("rollcast.dev/v1");
    });

    test("has every namespaced object in the release's namespace or in one of the scope", async () => {
      for (const { kind, metadata } of objectsIn(await readFile(file, "utf8"))) {
        if (/^(Namespace|ClusterRole|ClusterRoleBinding)$/.test(kind ?? "")) continue;
        expect(["rollcast", "team-a", "team-a-test"], `${kind} ${metadata.name}`).toContain(
          metadata.namespace,
        );
      }
    });
  },
);

test.each(["default", "production", "namespaced", "all-in-one"])("helm lint: %s", async (name) => {
  const values = name === "default" ? [] : [`--values=${exampleValues(name)}`];
  expect(await helm("lint", "--strict", chartDir(), ...values)).toMatch(/0 chart\(s\) failed/);
});

describe("values that are wrong are refused, each by its name", () => {
  test.each([
    ["no such value", ["watchr.replicas=2"], /watchr/],
    ["a namespace list that would do nothing", ["rollcast.namespaces={a}"], /namespaces/],
    ["no namespaces", ["rollcast.watchGlobally=false"], /namespaces/],
    ["two servers of NATS", ["nats.replicas=2"], /nats.*replicas/s],
    ["a cluster that is no label", ["cluster=a.b"], /cluster/],
    ["Reloader's strategy by another word", ["rollcast.reloadStrategy=default"], /reloadStrategy/],
    ["an external NATS nowhere", ["nats.enabled=false"], /nats\.url is needed/],
    ["an external Redis nowhere", ["redis.enabled=false"], /redis\.url is needed/],
    ["no such value of the one process", ["allInOne.enable=true"], /allInOne/],
    [
      "two APIs of one process on one port",
      [
        "allInOne.enabled=true",
        "config.restarter.api.listen=0.0.0.0:8082",
        "config.notifier.api.tokenFile=/etc/token",
      ],
      /need ports of their own/,
    ],
    ["TLS without a certificate", ["nats.tls.enabled=true"], /nats\.tls\.serverSecret is needed/],
  ])("%s", async (_name, set, expected) => {
    await expect(renderChart({ set })).rejects.toThrow(expected);
  });
});

test("the schema knows every value, with a default that it takes", async () => {
  type Schema = { properties?: Record<string, Schema>; additionalProperties?: unknown };
  const schema = JSON.parse(await readFile(join(chartDir(), "values.schema.json"), "utf8"));
  const values = parse(await readFile(join(chartDir(), "values.yaml"), "utf8"), { merge: true });
  const unlike = (at: string, part: Schema, value: unknown): string[] => {
    if (part.additionalProperties !== false) return [];
    const keys = Object.keys((value ?? {}) as object);
    const properties = Object.keys(part.properties ?? {});
    const different = [...keys, ...properties].filter(
      (k) => !keys.includes(k) || !properties.includes(k),
    );
    return [
      ...different.map((key) => `${at}${key}`),
      ...keys.flatMap((key) =>
        unlike(
          `${at}${key}.`,
          part.properties?.[key] ?? {},
          (value as Record<string, unknown>)[key],
        ),
      ),
    ];
  };
  expect(unlike("", schema as Schema, values)).toEqual([]);
});

test("what `config` says wins over the values named like Reloader's, and the permissions follow it", async () => {
  const file = join(scratch.dir, "values.yaml");
  const scope = { namespaces: ["shop"], ignoreKinds: ["Secret"] };
  await writeFile(file, stringify({ config: { scope, reload: { strategy: "marker" } } }));
  const set = ["rollcast.reloadStrategy=env-vars"];
  const made = objectsIn(await renderChart({ values: [file], set }));
  const kinds = made.map(({ kind }) => kind);
  expect(kinds).not.toContain("ClusterRole");
  const role = made.find(({ kind, metadata }) => kind === "Role" && metadata.namespace === "shop");
  expect(JSON.stringify(role)).not.toContain('secrets"');
});

test("the watcher may make the key's Secret unless the key is in a file, whatever keys were before", async () => {
  const file = join(scratch.dir, "key.yaml");
  const render = async (installationKey: object) => {
    await writeFile(file, stringify({ config: { installationKey } }));
    return renderChart({ values: [file] });
  };
  const earlierIds = ["1f0e5c7a9b3d2468"];
  expect(await render({ earlierIds })).toContain("name: rollcast-watcher-key");
  expect(await render({ file: "/etc/key", earlierIds })).not.toContain("rollcast-watcher-key");
});

test("a service's API has a port where the configuration has the API", async () => {
  const api = "config.restarter.api";
  const set = [`${api}.tokenFile=/etc/token`, `${api}.listen=0.0.0.0:9090`];
  const text = (await renderChart({ set })).split("\n---\n");
  const at = (kind: string) =>
    text.find(
      (manifest) =>
        manifest.includes(`kind: ${kind}\n`) && manifest.includes("name: rollcast-restarter\n"),
    );
  expect(at("Deployment")).toContain("{ name: api, containerPort: 9090 }");
  expect(at("Service")).toContain("{ name: api, port: 9090, targetPort: api }");
  expect(at("NetworkPolicy")).toContain("ports: [{ port: 9090 }]");
  expect(await renderChart()).not.toContain("name: api");
});

test("every example of values in docs/install.md is one that the chart takes", async () => {
  const page = await readFile(join(repositoryRoot(), "docs", "install.md"), "utf8");
  // That section has a part of rollcast.yaml.
  const text = page.replace(/^## With docker compose\n.*?^(?=## )/ms, "");
  const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  expect(blocks.length).toBeGreaterThan(2);
  for (const [i, block] of blocks.entries()) {
    const file = join(scratch.dir, `docs-${i}.yaml`);
    await writeFile(file, block);
    const config = objectsIn(await renderChart({ values: [file] })).find(
      ({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "rollcast",
    );
    const data = config?.data as Record<string, string> | undefined;
    expect(() => parseConfig(data?.["rollcast.yaml"] ?? "", file), block).not.toThrow();
  }
});

describe("where allInOne is enabled", () => {
  const enabled = async (...set: string[]) =>
    objectsIn(await renderChart({ set: ["allInOne.enabled=true", ...set] }));
  const nameOf = ({ kind, metadata }: AnyObject) => `${kind} ${metadata.name}`;
  type Bound = { kind: string; name: string };

  test("its process stands in place of the three, with what each of them had", async () => {
    const without = objectsIn(await renderChart()).map(nameOf);
    const own = (await enabled()).map(nameOf);

    expect(own.filter((name) => !without.includes(name))).toEqual(
      ["NetworkPolicy", "ServiceAccount", "Service", "Deployment"].map(
        (kind) => `${kind} rollcast-all-in-one`,
      ),
    );
    expect(without.filter((name) => !own.includes(name)).toSorted()).toEqual(
      [
        ...["watcher", "restarter", "notifier"].flatMap((name) =>
          ["Deployment", "NetworkPolicy", "Service"].map((kind) => `${kind} rollcast-${name}`),
        ),
        "ServiceAccount rollcast-watcher",
        "ServiceAccount rollcast-restarter",
      ].toSorted(),
    );
  });

  test.each([
    ["the whole cluster", []],
    ["namespaces by their labels", ["rollcast.namespaceSelector=team=shop"]],
    ["some namespaces", ["rollcast.watchGlobally=false", "rollcast.namespaces={a,b}"]],
  ])("every role of the watcher and the restarter is bound to it: %s", async (_name, set) => {
    const all = await enabled(...set);
    const roles = all.filter(
      ({ kind, metadata }) => kind?.endsWith("Role") === true && metadata.name !== "rollcast-keys",
    );
    expect(roles.length).toBeGreaterThan(2);
    for (const { kind, metadata } of roles) {
      const binding = all.find(
        (object) =>
          object.kind === `${kind}Binding` &&
          object.metadata.name === metadata.name &&
          object.metadata.namespace === metadata.namespace,
      );
      const name = "rollcast-all-in-one";
      const subjects = (binding?.subjects ?? []) as Bound[];
      expect(subjects, metadata.name).toEqual([
        { kind: "ServiceAccount", name, namespace: "rollcast" },
      ]);
    }
  });

  test("the servers know its user and none of the three; else they know no user of that name", async () => {
    const bus = (all: AnyObject[]) =>
      JSON.stringify(all.filter(({ metadata }) => /-(nats|redis)$/.test(metadata.name)));
    const enabledBus = bus(await enabled());
    expect(enabledBus).toMatch(/ROLLCAST_NKEY_ALL_IN_ONE/);
    expect(enabledBus).not.toMatch(
      /NKEY_(?:WATCHER|RESTARTER|NOTIFIER)|component":"(?:watch|rest|noti)/,
    );
    expect(enabledBus).not.toMatch(/"redis-(?:restarter|notifier)|"(?:restarter|notifier)"/);
    expect(await renderChart()).not.toMatch(/all.in.one/i);
  });

  test("a change of shape restarts NATS, which reads its users at its start", async () => {
    const checksum = (all: AnyObject[]) =>
      /"checksum\/config":"\w+"/.exec(
        JSON.stringify(all.find((object) => nameOf(object) === "StatefulSet rollcast-nats")),
      )?.[0];
    expect(checksum(await enabled())).not.toBe(checksum(objectsIn(await renderChart())));
  });

  test("more than one replica has a disruption budget, and values of the three mean nothing", async () => {
    const all = await enabled("allInOne.replicas=2", "watcher.replicas=3", "watcher.env[0].name=X");
    expect(all.map(nameOf)).toContain("PodDisruptionBudget rollcast-all-in-one");
    const deployment = all.find((object) => nameOf(object) === "Deployment rollcast-all-in-one");
    expect(deployment?.spec).toMatchObject({ replicas: 2 });
    expect(JSON.stringify(deployment)).not.toContain('"name":"X"');
  });
});

describe("the notifier", () => {
  const of = async (kind: string) =>
    objectsIn(await renderChart()).find(
      (object) => object.kind === kind && object.metadata.name === "rollcast-notifier",
    );

  test("has no token of the API server", async () => {
    const text = JSON.stringify(await of("Deployment"));
    expect(text).toContain('"automountServiceAccountToken":false');
    expect(await of("ServiceAccount")).toBeUndefined();
  });

  test("may reach names, the bus and public addresses, and no private one", async () => {
    const policy = await of("NetworkPolicy");
    const { egress } = (policy?.spec ?? { egress: [] }) as { egress: object[] };
    const blocks = JSON.stringify(egress).match(/"cidr":"[^"]+"/g);
    expect(blocks).toEqual(['"cidr":"0.0.0.0/0"', '"cidr":"2000::/3"']);
    expect(egress).toHaveLength(4);
  });
});

test("the dashboard and the alerts arrive as they are", async () => {
  const text = await renderChart({
    set: ["dashboard.enabled=true", "prometheusRule.enabled=true"],
  });
  const file = async (name: string) => readFile(join(chartDir(), "files", name), "utf8");
  const of = (kind: string, name: string) =>
    objectsIn(text).find((object) => object.kind === kind && object.metadata.name === name);
  const dashboard = of("ConfigMap", "rollcast-dashboard")?.data as Record<string, string>;
  expect(JSON.parse(dashboard["rollcast.json"] ?? "")).toEqual(
    JSON.parse(await file("dashboard.json")),
  );
  expect(of("PrometheusRule", "rollcast")?.spec).toEqual(parse(await file("alerts.yaml")));
});
