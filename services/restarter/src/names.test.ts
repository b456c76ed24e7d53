import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { parse } from "yaml";
import { expect, test } from "vitest";
import { FIELD_MANAGER } from "@rollcast/kube/patch";
import { ANNOTATIONS } from "@rollcast/shared/annotations";
import {
  deadLetterSubject,
  freezeSubject,
  notificationSubject,
  queueSubject,
  rolloutSubject,
  sourceSubject,
} from "@rollcast/shared/subjects";
import { MARKER, contentDigest, formatMarker } from "./model/content.ts";

/**
 * Names that other systems hold: manifests, subscribers, marked pod templates. They never change.
 */
const RELOADER = [
  "reloader.stakater.com/auto",
  "configmap.reloader.stakater.com/auto",
  "secret.reloader.stakater.com/auto",
  "secretproviderclass.reloader.stakater.com/auto",
  "configmap.reloader.stakater.com/reload",
  "secret.reloader.stakater.com/reload",
  "secretproviderclass.reloader.stakater.com/reload",
  "configmaps.exclude.reloader.stakater.com/reload",
  "secrets.exclude.reloader.stakater.com/reload",
  "secretproviderclasses.exclude.reloader.stakater.com/reload",
  "reloader.stakater.com/search",
  "reloader.stakater.com/match",
  "reloader.stakater.com/ignore",
  "reloader.stakater.com/rollout-strategy",
  "deployment.reloader.stakater.com/pause-period",
];

const OWN = [
  "rollcast.dev/auto",
  "configmap.rollcast.dev/auto",
  "secret.rollcast.dev/auto",
  "secretproviderclass.rollcast.dev/auto",
  "configmap.rollcast.dev/reload",
  "secret.rollcast.dev/reload",
  "secretproviderclass.rollcast.dev/reload",
  "configmaps.exclude.rollcast.dev/reload",
  "secrets.exclude.rollcast.dev/reload",
  "secretproviderclasses.exclude.rollcast.dev/reload",
  "rollcast.dev/search",
  "rollcast.dev/match",
  "rollcast.dev/ignore",
  "rollcast.dev/rollout-strategy",
  "rollcast.dev/pause-period",
];

test("annotations keep their names", () => {
  const pairs = Object.values(ANNOTATIONS);
  expect(pairs.map(({ reloader }) => reloader)).toEqual(RELOADER);
  expect(pairs.map(({ own }) => own)).toEqual(OWN);
});

test("the field manager keeps its name", () => {
  expect(FIELD_MANAGER).toBe("rollcast");
});

test("subjects keep their prefix and version", () => {
  const ref = { kind: "ConfigMap", namespace: "shop", name: "web.config" };
  expect(sourceSubject("prod", "changed", ref)).toBe(
    "rollcast.v1.prod.source.changed.configmap.shop.web_config",
  );
  expect(rolloutSubject("prod", "started", { ...ref, kind: "Deployment" })).toBe(
    "rollcast.v1.prod.rollout.started.deployment.shop.web_config",
  );
  expect(notificationSubject("prod", "sent", "team-a")).toBe(
    "rollcast.v1.prod.notification.sent.team-a",
  );
  expect(queueSubject("prod", "paused", "slow")).toBe("rollcast.v1.prod.queue.paused.slow");
  expect(freezeSubject("prod", "frozen", { level: "cluster" })).toBe(
    "rollcast.v1.prod.freeze.frozen.cluster",
  );
  expect(freezeSubject("prod", "frozen", { level: "namespace", namespace: "shop" })).toBe(
    "rollcast.v1.prod.freeze.frozen.namespace.shop",
  );
  expect(freezeSubject("prod", "unfrozen", { level: "workload", ...ref, kind: "Deployment" })).toBe(
    "rollcast.v1.prod.freeze.unfrozen.workload.deployment.shop.web_config",
  );
  expect(deadLetterSubject("notifier", "too-large")).toBe("rollcast.dlq.v1.notifier.too-large");
});

test("the marker keeps its key, its form and the digest of a content", () => {
  const source = {
    v: 1 as const,
    kind: "ConfigMap" as const,
    namespace: "shop",
    name: "web",
    uid: "uid",
    resourceVersion: "1",
    keyId: "k1",
    digests: { GREETING: "00112233445566778899aabbccddeeff" },
    state: "published" as const,
    change: "none" as const,
    createdAt: 0,
    annotations: {},
  };
  const digest = contentDigest(source, "*");
  expect(MARKER).toBe("rollcast.dev/config");
  expect(digest).toBe("k1.12b5baf3199a52a6741e2d34ce018a2e");
  expect(formatMarker({ "ConfigMap/shop/web": { digest } }, "shop")).toBe(
    '{"ConfigMap/web":"k1.12b5baf3199a52a6741e2d34ce018a2e"}',
  );
});

/** Besides the pairs of the contract: annotations of our own, and what we write on objects. */
const MORE = [
  "rollcast.dev/config",
  "rollcast.dev/cronjob",
  "rollcast.dev/effect",
  "rollcast.dev/min-interval",
  "rollcast.dev/notify",
  "rollcast.dev/queue",
  "rollcast.dev/restarter",
  "rollcast.dev/rollout",
];
const WRITTEN_FOR_RELOADER = ["reloader.stakater.com/last-reloaded-from"];
/** Written by Reloader itself, so that nobody has misspelled it. */
const WRITTEN_BY_RELOADER = ["deployment.reloader.stakater.com/paused-at"];

async function literals(pattern: RegExp): Promise<string[]> {
  const names = new Set<string>();
  const sources = glob("{libs,services}/*/src/**/*.ts", { cwd: repositoryRoot() });
  for await (const file of sources) {
    if (file.endsWith(".test.ts") || file.startsWith("libs/testkit/")) continue;
    const text = await readFile(join(repositoryRoot(), file), "utf8");
    for (const [, name = ""] of text.matchAll(pattern)) names.add(name);
  }
  return [...names].toSorted();
}

test("no annotation comes or goes unseen", async () => {
  const own = await literals(/"((?:[a-z]+\.)*rollcast\.dev\/[a-z-]+)"/g);
  expect(own).toEqual([...OWN, ...MORE].toSorted());
  const reloader = await literals(/"((?:[a-z]+\.)*reloader\.stakater\.com\/[a-z-]+)"/g);
  expect(reloader).toEqual(
    [...RELOADER, ...WRITTEN_FOR_RELOADER, ...WRITTEN_BY_RELOADER].toSorted(),
  );
});

test("the chart's values that are Reloader's too keep their names", async () => {
  const file = join(repositoryRoot(), "deploy", "charts", "rollcast", "values.yaml");
  const values = parse(await readFile(file, "utf8")) as { rollcast: object };
  expect(Object.keys(values.rollcast)).toEqual([
    "autoReloadAll",
    "reloadOnCreate",
    "reloadOnDelete",
    "reloadStrategy",
    "ignoreConfigMaps",
    "ignoreSecrets",
    "ignoreJobs",
    "ignoreCronJobs",
    "isArgoRollouts",
    "isOpenshift",
    "enableCSIIntegration",
    "watchGlobally",
    "namespaces",
    "ignoreNamespaces",
    "namespaceSelector",
    "resourceLabelSelector",
    "logLevel",
    "custom_annotations",
  ]);
});
