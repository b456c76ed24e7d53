import { ANNOTATIONS } from "@rollcast/shared/annotations";
import { deployment } from "@rollcast/kube/workloads/deployment";
import type { KubeObject } from "@rollcast/kube/object";
import fc from "fast-check";
import { expect, test } from "vitest";
import { rulesOf } from "../../test/given.ts";
import { decide } from "./decide.ts";
import { verdicts } from "../model/verdict.ts";
import { patternsOf, watchedSources } from "../model/workload.ts";
import { templatePatch } from "../rollout/roll.ts";
import { projectWorkload } from "../index/project-workload.ts";

/** Arbitrary values, mostly of nearly the right form. */
const junk = fc.oneof(
  { weight: 1, arbitrary: fc.anything({ maxDepth: 2 }) },
  { weight: 1, arbitrary: fc.constant(undefined) },
);
const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("cfg", "sec", "a.b", "x-1") },
  { weight: 1, arbitrary: junk },
);
const loose = (shape: Record<string, fc.Arbitrary<unknown>>) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.record(shape, { requiredKeys: [] }) },
    { weight: 1, arbitrary: junk },
  );
const many = (arbitraryItem: fc.Arbitrary<unknown>) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.array(arbitraryItem, { maxLength: 3 }) },
    { weight: 1, arbitrary: junk },
  );
const ref = loose({ name, key: name, optional: fc.boolean() });
const items = many(loose({ key: name, path: fc.string() }));
const value = fc.oneof(fc.string(), fc.constantFrom("a".repeat(40), `k1.${"b".repeat(32)}`));
const container = loose({
  name,
  env: many(
    loose({
      name: fc.oneof(fc.string(), fc.constantFrom("STAKATER_CFG_CONFIGMAP", "STAKATER_SEC_SECRET")),
      value: fc.oneof(value, junk),
      valueFrom: loose({ configMapKeyRef: ref, secretKeyRef: ref, fieldRef: junk }),
    }),
  ),
  envFrom: many(loose({ configMapRef: ref, secretRef: ref, prefix: fc.string() })),
  volumeMounts: many(loose({ name, mountPath: fc.string() })),
});
const volume = loose({
  name,
  configMap: loose({ name, items }),
  secret: loose({ secretName: name, items }),
  projected: loose({
    sources: many(loose({ configMap: loose({ name, items }), secret: loose({ name, items }) })),
  }),
  csi: loose({ volumeAttributes: loose({ secretProviderClass: name }), nodePublishSecretRef: ref }),
  rbd: loose({ secretRef: ref }),
  azureFile: loose({ secretName: name }),
});
const annotationNames = Object.values(ANNOTATIONS).flatMap(({ own, reloader }) => [own, reloader]);
const bombs = [
  "(a+)+$",
  "(a|a)*b",
  "x{1000}".repeat(30),
  "(".repeat(500),
  "a?".repeat(200),
  "\\C*",
  "[[:x:]]",
];
const annotations = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.dictionary(
      fc.constantFrom(...annotationNames, "rollcast.dev/effect", "rollcast.dev/min-interval"),
      fc.oneof(
        fc.string(),
        fc.constantFrom("true", "false", "", "cfg,sec", ".*", "a.b, x-.*", "5m", "notify"),
        fc.array(fc.constantFrom(...bombs, "cfg"), { maxLength: 4 }).map((all) => all.join(",")),
      ),
      { maxKeys: 5 },
    ),
  },
  { weight: 1, arbitrary: junk },
);
const object = fc.record({
  annotations,
  template: loose({
    metadata: loose({ annotations }),
    spec: loose({
      containers: many(container),
      initContainers: many(container),
      ephemeralContainers: many(container),
      volumes: many(volume),
      imagePullSecrets: many(ref),
    }),
  }),
  strategy: fc.constantFrom("marker", "reloader-annotations", "reloader-env-vars"),
  auto: fc.boolean(),
});

test("10,000 pod templates and sets of annotations: nothing throws, everything is decided, the patch is well formed", () => {
  const decided = new Set<string>();
  fc.assert(
    fc.property(object, (given) => {
      const rules = rulesOf({ strategy: given.strategy, auto: given.auto, imagePullSecrets: true });
      const cluster = {
        metadata: {
          name: "web",
          namespace: "shop",
          uid: "u",
          resourceVersion: "1",
          generation: 1,
          annotations: given.annotations,
        },
        spec: { template: given.template },
      } as unknown as KubeObject;
      const workload = projectWorkload(deployment, cluster, rules);
      const sources = new Map(watchedSources(workload).map((key) => [key, undefined] as const));
      for (const { pattern } of patternsOf(workload))
        rules.patterns.matches(pattern, "a".repeat(253));
      for (const { check } of verdicts(workload, sources, rules).values()) decided.add(check);
      const decision = decide({
        rules,
        workload,
        record: undefined,
        sources,
        installedAt: 0,
        now: 1,
        mode: "active",
        breaker: { maxRollouts: 2, period: 1, minInterval: 1, maxInterval: 1 },
        admission: { queue: "default", haltAfter: 3, failures: [], quota: "none" },
        stalledAfterMs: 1,
        affected: () => 1,
        newId: "r",
        trusted: false,
      });
      expect(decision.do).toBe("keep");
      const record = {
        running: {},
        rollout: { wanted: {}, marker: "{}", decidedAt: 0 },
      } as unknown as Parameters<typeof templatePatch>[0]["record"];
      for (const { path } of templatePatch({ kind: deployment, workload, record, rules })) {
        expect(path).toMatch(/^\/(metadata|spec)\//);
      }
    }),
    { numRuns: 10_000 },
  );
  // The generators must reach the checks: a fuzz test that produces only junk proves nothing.
  expect([...decided].toSorted()).toEqual(
    ["auto", "auto-reload-all", "excluded", "named", "not-opted-in", "opted-out"].toSorted(),
  );
}, 120_000);
