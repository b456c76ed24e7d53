import { expect, test } from "vitest";
import { findInManifest, reloaderOptions } from "./reloader-deployment.ts";
import { renderConfig, translate } from "./translate.ts";

function manifest(args: readonly string[], env: readonly object[] = []): string {
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "reloader", namespace: "tools" },
    spec: {
      template: {
        spec: {
          containers: [
            { name: "proxy", image: "proxy:1", args: ["--auto-reload-all"] },
            {
              name: "r",
              image: "registry.example.com:5000/stakater/reloader:v1@sha256:0",
              args,
              env,
            },
          ],
        },
      },
    },
  });
}

function translated(args: readonly string[], env: readonly object[] = []) {
  const [deployment] = findInManifest(manifest(args, env));
  if (deployment === undefined) throw new Error("not found");
  const translation = translate(reloaderOptions(deployment), "prod");
  // Every translation is a valid configuration.
  renderConfig(translation);
  return translation;
}

test.each([
  [["--auto-reload-all"], { reload: { auto: true } }],
  [["--auto-reload-all=false"], {}],
  [
    ["--auto-reload-all", "--reload-strategy", "annotations"],
    { reload: { auto: true, strategy: "reloader-annotations" } },
  ],
  [["--reload-on-create=true", "--reload-on-delete=True"], { reload: { onCreate: true } }],
  [["--resources-to-ignore=Secrets"], { scope: { ignoreKinds: ["Secret"] } }],
  [["--namespaces=a,b", "--namespaces-to-ignore=c"], { scope: { namespaces: ["a", "b"] } }],
  [["--namespaces-to-ignore=a, b"], { scope: { ignoreNamespaces: ["a", "b"] } }],
  [["--namespace-selector=team:shop,env=*"], { scope: { namespaceSelector: "team=shop,env" } }],
  [["--resource-label-selector=app in (a,b)"], { scope: { resourceSelector: "app in (a,b)" } }],
  [
    ["--ignored-workload-types=jobs,cronjobs"],
    { reload: { ignoredWorkloadTypes: ["jobs", "cronjobs"] } },
  ],
  [["--auto-annotation=corp.io/auto"], { reload: { annotations: { auto: "corp.io/auto" } } }],
  [["--log-level=warning"], { log: { level: "warn" } }],
])("%j", (args, config) => {
  const { apiVersion: _a, kind: _k, cluster, ...rest } = translated(args).config;
  expect(cluster).toBe("prod");
  expect(rest).toEqual(config);
});

test("KUBERNETES_NAMESPACE is its one namespace, unless a list is given", () => {
  const env = [{ name: "KUBERNETES_NAMESPACE", value: "shop" }];
  expect(translated([], env).config.scope).toEqual({ namespaces: ["shop"] });
  expect(translated(["--namespaces=a"], env).config.scope).toEqual({ namespaces: ["a"] });
});

test("what has no counterpart, or is not needed, is named", () => {
  const env = [
    { name: "ALERT_ON_RELOAD", value: "true" },
    { name: "ALERT_SINK", value: "slack" },
  ];
  const args = ["--enable-ha", "--webhook-url=http://x", "--frobnicate", "--leader-election-id=a"];
  const notes = translated(args, env).notes.join("\n");
  expect(notes).toMatch(/--enable-ha: not needed/);
  expect(notes).toMatch(/--webhook-url: .*mode: observe/);
  expect(notes).toMatch(/--frobnicate: has no counterpart/);
  expect(notes).toMatch(/--leader-election-id: not needed/);
  expect(notes).toMatch(/sink slack/);
});

test("in a file of many documents only Reloader's Deployment counts", () => {
  const other = manifest([]).replace("stakater/reloader", "stakater/other");
  expect(findInManifest(`${other}\n---\n${manifest([])}\n---\n`)).toHaveLength(1);
});
