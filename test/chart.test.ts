import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseConfig } from "@rollcast/shared/config/load";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { exampleValues, renderedFiles } from "@rollcast/testkit/chart";
import type { AnyObject } from "@rollcast/testkit/client";
import { chartDir, helm, renderChart } from "@rollcast/testkit/helm";
import { afterAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { temporaryDir } from "./temporary.ts";

const rendered = await renderedFiles();
const scratch = await temporaryDir("chart");
afterAll(() => scratch[Symbol.asyncDispose]());

function objects(text: string): AnyObject[] {
  return parseAllDocuments(text)
    .map((doc) => doc.toJS() as AnyObject | null)
    .filter((object) => object !== null);
}

describe.each(rendered.map((one) => [one.file.split("/").at(-1) ?? "", one] as const))(
  "%s",
  (_name, { file, render }) => {
    test("is what the chart renders: `pnpm render` renews it", async () => {
      expect(await render()).toBe(await readFile(file, "utf8"));
    });

    test("holds a rollcast.yaml that the services take", async () => {
      const [config] = objects(await readFile(file, "utf8"))
        .filter(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "rollcast")
        .map(({ data }) => (data as Record<string, string>)["rollcast.yaml"] ?? "");
      expect(parseConfig(config ?? "", file).apiVersion).toBe("rollcast.dev/v1");
    });

    test("has every namespaced object in the release's namespace or in one of the scope", async () => {
      for (const { kind, metadata } of objects(await readFile(file, "utf8"))) {
        if (/^(Namespace|ClusterRole|ClusterRoleBinding)$/.test(kind ?? "")) continue;
        expect(["rollcast", "team-a", "team-a-test"], `${kind} ${metadata.name}`).toContain(
          metadata.namespace,
        );
      }
    });
  },
);

test.each(["default", "production", "namespaced"])("helm lint: %s", async (name) => {
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
    ["TLS without a certificate", ["nats.tls.enabled=true"], /nats\.tls\.serverSecret is needed/],
  ])("%s", async (_name, set, said) => {
    await expect(renderChart({ set })).rejects.toThrow(said);
  });
});

test("the schema knows every value, with a default that it takes", async () => {
  type Schema = { properties?: Record<string, Schema>; additionalProperties?: unknown };
  const schema = JSON.parse(await readFile(join(chartDir(), "values.schema.json"), "utf8"));
  const values = parse(await readFile(join(chartDir(), "values.yaml"), "utf8"), { merge: true });
  const unlike = (at: string, one: Schema, value: unknown): string[] => {
    if (one.additionalProperties !== false) return [];
    const keys = Object.keys((value ?? {}) as object);
    const known = Object.keys(one.properties ?? {});
    const different = [...keys, ...known].filter((k) => !keys.includes(k) || !known.includes(k));
    return [
      ...different.map((key) => `${at}${key}`),
      ...keys.flatMap((key) =>
        unlike(
          `${at}${key}.`,
          one.properties?.[key] ?? {},
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
  const made = objects(await renderChart({ values: [file], set }));
  const kinds = made.map(({ kind }) => kind);
  expect(kinds).not.toContain("ClusterRole");
  const role = made.find(({ kind, metadata }) => kind === "Role" && metadata.namespace === "shop");
  expect(JSON.stringify(role)).not.toContain('secrets"');
});

test("a service's API has a port where the configuration has the API", async () => {
  const api = "config.restarter.api";
  const set = [`${api}.tokenFile=/etc/token`, `${api}.listen=0.0.0.0:9090`];
  const text = (await renderChart({ set })).split("\n---\n");
  const at = (kind: string) =>
    text.find(
      (one) => one.includes(`kind: ${kind}\n`) && one.includes("name: rollcast-restarter\n"),
    );
  expect(at("Deployment")).toContain("{ name: api, containerPort: 9090 }");
  expect(at("Service")).toContain("{ name: api, port: 9090, targetPort: api }");
  expect(at("NetworkPolicy")).toContain("ports: [{ port: 9090 }]");
  expect(await renderChart()).not.toContain("name: api");
});

test("every example of values in docs/install.md is one that the chart takes", async () => {
  const text = await readFile(join(repositoryRoot(), "docs", "install.md"), "utf8");
  const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  expect(blocks.length).toBeGreaterThan(2);
  for (const [i, block] of blocks.entries()) {
    const file = join(scratch.dir, `docs-${i}.yaml`);
    await writeFile(file, block);
    const config = objects(await renderChart({ values: [file] })).find(
      ({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "rollcast",
    );
    const data = config?.data as Record<string, string> | undefined;
    expect(() => parseConfig(data?.["rollcast.yaml"] ?? "", file), block).not.toThrow();
  }
});

describe("the notifier", () => {
  const of = async (kind: string) =>
    objects(await renderChart()).find(
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
    objects(text).find((one) => one.kind === kind && one.metadata.name === name);
  const dashboard = of("ConfigMap", "rollcast-dashboard")?.data as Record<string, string>;
  expect(JSON.parse(dashboard["rollcast.json"] ?? "")).toEqual(
    JSON.parse(await file("dashboard.json")),
  );
  expect(of("PrometheusRule", "rollcast")?.spec).toEqual(parse(await file("alerts.yaml")));
});
