import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KubeObject } from "@rollcast/kube/object";
import { argoRollout } from "@rollcast/kube/workloads/argo-rollout";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
import { deployment } from "@rollcast/kube/workloads/deployment";
import { ANNOTATIONS } from "@rollcast/shared/annotations";
import type { SourceKind } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { expect, test } from "vitest";
import { givenSource } from "../test/given-situation.ts";
import { rulesOf } from "../test/given.ts";
import { throttle } from "./decision/blocking-gate.ts";
import { reportOnly } from "./model/workload.ts";
import { faultsOfSource } from "./events/annotation-faults.ts";
import { notifyOf } from "./events/outcome-publisher.ts";
import { projectWorkload } from "./index/project-workload.ts";
import { createAssignQueue, queueFault } from "./model/queue-assignment.ts";
import { verdict } from "./model/verdict.ts";
import type { Workload } from "./model/workload.ts";

const NOW = 10_000_000;
const BREAKER = { maxRollouts: 20, period: 600_000, minInterval: 10_000, maxInterval: 900_000 };
const KINDS = { Deployment: deployment, Rollout: argoRollout, CronJob: cronJob };
const rules = rulesOf();
const TEMPLATE = {
  metadata: { annotations: {} },
  spec: {
    containers: [
      {
        name: "web",
        envFrom: [{ configMapRef: { name: "cfg" } }, { secretRef: { name: "cfg" } }],
      },
    ],
    volumes: [
      {
        name: "v",
        csi: {
          driver: "secrets-store.csi.k8s.io",
          volumeAttributes: { secretProviderClass: "cfg" },
        },
      },
    ],
  },
};

function workloadWith(annotation: string, value: string, kind: keyof typeof KINDS): Workload {
  const template = TEMPLATE;
  const spec = kind === "CronJob" ? { jobTemplate: { spec: { template } } } : { template };
  const metadata = { name: "web", namespace: "shop", uid: "u", resourceVersion: "1" };
  const object = { metadata: { ...metadata, annotations: { [annotation]: value } }, spec };
  return projectWorkload(KINDS[kind], object as unknown as KubeObject, rules);
}

const assign = createAssignQueue({
  queues: [{ name: "gold" }],
  queueAnnotation: { namespaces: ["*"], namespaceSelector: "" },
});
const assignmentOf = (workload: Workload) => assign(workload, {});

const checkOf = (kind: SourceKind) => (workload: Workload) =>
  verdict({
    rules,
    workload,
    source: { kind, namespace: "shop", name: "cfg" },
    record: undefined,
  }).check;

const waitAfter = (history: number[]) => (workload: Workload) =>
  throttle(workload, { history }, BREAKER, NOW)?.reason;

/** What an annotation with one value does, and what one that cannot be read does and says. */
type Row = {
  readonly annotation: string;
  readonly kind?: keyof typeof KINDS;
  readonly good: Readonly<Record<string, unknown>>;
  /** By value: what is done, and the faults. */
  readonly bad: Readonly<Record<string, readonly [unknown, ...string[]]>>;
  readonly does: (workload: Workload) => unknown;
};

const NO_BOOL = "is neither true nor false, and counts as false";
const NO_DURATION = "is no duration like 30s, 5m or 1h30m, and rollouts wait until it is one";
const MANY = Array.from({ length: 501 }, (_, i) => `a${i}`);

const autoRow = (annotation: string, kind: SourceKind): Row => ({
  annotation,
  does: checkOf(kind),
  good: { true: "auto", T: "auto", false: "opted-out", "0": "opted-out", "": "not-opted-in" },
  bad: { yes: ["opted-out", `"yes" ${NO_BOOL}`], " true": ["opted-out", `" true" ${NO_BOOL}`] },
});

const namedRow = (annotation: string, kind: SourceKind): Row => ({
  annotation,
  does: ({ optIn }) => optIn[kind].named.map(({ pattern }) => pattern).slice(0, 501).length,
  good: { "": 0, "cfg, app-.*,a.b": 3, "CFG|cfg": 1 },
  bad: {
    "My_Config,cfg": [1, '"My_Config" is what nothing can be called: it is passed over'],
    "a b,cfg;d": [
      0,
      '"a b" is what nothing can be called: it is passed over',
      '"cfg;d" is what nothing can be called: it is passed over',
    ],
    "(,cfg": [
      1,
      '"(" is no regular expression that RE2 takes (error parsing regexp: missing closing ): `^($`): it is passed over',
    ],
    "other/cfg": [
      0,
      '"other/cfg" names namespace other, which reload.sharedNamespaces does not list: it is passed over',
    ],
    [MANY.join()]: [
      500,
      `"${MANY.join().slice(0, 80)}" is longer than 500 names or 65536 characters: the rest is passed over`,
    ],
  },
});

const excludeRow = (annotation: string, kind: SourceKind): Row => ({
  annotation,
  does: ({ optIn }) => optIn[kind].excluded,
  good: { "": [], "cfg, a.b": ["cfg", "a.b"] },
  bad: {
    "app-.*,cfg": [
      ["cfg"],
      '"app-.*" is no name, and patterns do not count here: it is passed over',
    ],
  },
});

const { own: STRATEGY } = ANNOTATIONS.rolloutStrategy;
const ROWS: readonly Row[] = [
  autoRow(ANNOTATIONS.auto.own, "ConfigMap"),
  autoRow(ANNOTATIONS.configMapAuto.own, "ConfigMap"),
  autoRow(ANNOTATIONS.secretAuto.own, "Secret"),
  autoRow(ANNOTATIONS.secretProviderClassAuto.own, "SecretProviderClass"),
  namedRow(ANNOTATIONS.configMap.own, "ConfigMap"),
  namedRow(ANNOTATIONS.secret.own, "Secret"),
  namedRow(ANNOTATIONS.secretProviderClass.own, "SecretProviderClass"),
  excludeRow(ANNOTATIONS.configMapExclude.own, "ConfigMap"),
  excludeRow(ANNOTATIONS.secretExclude.own, "Secret"),
  excludeRow(ANNOTATIONS.secretProviderClassExclude.own, "SecretProviderClass"),
  {
    annotation: ANNOTATIONS.search.own,
    does: ({ optIn }) => optIn.Secret.search,
    good: { true: true, false: false, "": false },
    bad: { True: [false, '"True" is not exactly true, and counts as false'] },
  },
  {
    annotation: ANNOTATIONS.pausePeriod.own,
    does: waitAfter([]),
    good: { "1h30m": "PausePeriod", "0": undefined, "": undefined },
    bad: {
      "5 minutes": ["InvalidAnnotation", `"5 minutes" ${NO_DURATION}`],
      "-5m": ["InvalidAnnotation", `"-5m" ${NO_DURATION}`],
      "169h": ["PausePeriod", '"169h" is longer than 168h, and counts as that'],
    },
  },
  {
    annotation: "rollcast.dev/min-interval",
    does: waitAfter([NOW - 1_000]),
    good: { "1m": "MinInterval", "500ms": undefined, "": undefined },
    bad: {
      "1d": ["InvalidAnnotation", `"1d" ${NO_DURATION}`],
      "169h": ["MinInterval", '"169h" is longer than 168h, and counts as that'],
    },
  },
  {
    annotation: "rollcast.dev/effect",
    does: (workload) => reportOnly({ mode: "active", workload }),
    good: { notify: "Notify", "": undefined },
    bad: { Notify: ["Notify", '"Notify" is not notify, and counts as it: nothing is rolled'] },
  },
  {
    annotation: "rollcast.dev/queue",
    does: (workload) => assignmentOf(workload).queue,
    good: { gold: "gold", default: "default" },
    bad: { glod: ["default"] },
  },
  {
    annotation: "rollcast.dev/notify",
    does: ({ annotations }) => notifyOf(annotations).notify?.length,
    good: { "team-a, none": 2, "": undefined },
    bad: {
      "team_a,b": [2, '"team_a,b" names "team_a", which no receiver can be called'],
      [MANY.slice(0, 21).join()]: [
        20,
        `"${MANY.slice(0, 21).join()}" has more than 20 names: the others are passed over`,
      ],
    },
  },
  {
    annotation: STRATEGY,
    kind: "Rollout",
    does: ({ rollBy }) => rollBy,
    good: { restart: "restart", rollout: "patch", "": "patch" },
    bad: { Restart: ["patch", '"Restart" is neither restart nor rollout, and counts as rollout'] },
  },
  {
    annotation: "rollcast.dev/cronjob",
    kind: "CronJob",
    does: ({ rollBy }) => rollBy,
    good: { template: "patch", "": "job" },
    bad: { Template: ["patch", '"Template" is not template, and counts as it: no Job is run'] },
  },
];

const CASES = ROWS.flatMap(({ annotation, kind = "Deployment", does, good, bad }) =>
  [
    ...Object.entries(good).map(([value, done]) => [value, done, []] as const),
    ...Object.entries(bad).map(([value, [done, ...faults]]) => [value, done, faults] as const),
  ].map(([value, done, faults]) => ({ annotation, kind, value, does, done, faults })),
);

test.each(CASES)("$annotation: $value", ({ annotation, kind, value, does, done, faults }) => {
  const workload = workloadWith(annotation, value, kind);
  expect(does(workload)).toEqual(done);
  expect(workload.faults).toEqual(faults.map((message) => ({ annotation, message })));
});

test("a queue that there is none of is a fault", () => {
  const workload = workloadWith("rollcast.dev/queue", "glod", "Deployment");
  expect(queueFault(workload, assignmentOf(workload))).toEqual({
    annotation: "rollcast.dev/queue",
    message: '"glod" is no queue: rolled in the queue default',
  });
});

const SOURCE_ROWS = [
  { annotation: ANNOTATIONS.ignore.own, good: "source-ignored" },
  { annotation: ANNOTATIONS.match.own, good: "search-match" },
];

test.each(SOURCE_ROWS)(
  "$annotation on a source counts for exactly true",
  ({ annotation, good }) => {
    const workload = workloadWith(ANNOTATIONS.search.own, "true", "Deployment");
    const checkFor = (value: string) => {
      const record: SourceRecord = givenSource("aa", { annotations: { [annotation]: value } });
      const source = { kind: "ConfigMap", namespace: "shop", name: "cfg" } as const;
      return [
        verdict({ rules, workload, source, record }).check,
        ...faultsOfSource(record, rules).map((fault) => fault.message),
      ];
    };
    expect(checkFor("true")).toEqual([good]);
    expect(checkFor("false")).toEqual(["not-opted-in"]);
    expect(checkFor("yes")).toEqual([
      "not-opted-in",
      '"yes" is not exactly true, and counts as false',
    ]);
  },
);

test("of a list whose first name is too long for the whole, nothing counts, least of all a part of a name", () => {
  const annotation = ANNOTATIONS.configMap.own;
  const list = `${"a".repeat(70_000)},cfg-10`;
  const { optIn, faults } = workloadWith(annotation, list, "Deployment");
  expect(optIn.ConfigMap.named).toEqual([]);
  expect(faults).toHaveLength(1);
});

test("every annotation of the documentation has a row", () => {
  const page = readFileSync(join(repositoryRoot(), "docs", "annotations.md"), "utf8");
  const written = page.matchAll(/`([a-z.]*rollcast\.dev\/[a-z-]+)/g);
  const names = [...written].map(([, name]) => name);
  const rows = [...ROWS, ...SOURCE_ROWS].map(({ annotation }) => annotation);
  const contract = Object.values(ANNOTATIONS).map(({ own }) => own);
  expect([...new Set([...names, ...contract])].toSorted()).toEqual(rows.toSorted());
});

test("a fault is told under the name that the workload has", () => {
  const reloader = ANNOTATIONS.pausePeriod.reloader;
  const [fault] = workloadWith(reloader, "5 minutes", "Deployment").faults;
  expect(fault?.annotation).toBe(reloader);
});

test("a name that is none is a fault with the nearest one, and holds nothing back", () => {
  const metadata = { name: "web", namespace: "shop", uid: "u", resourceVersion: "1" };
  const annotations = { "rollcast.dev/auto": "true", "rollcast.dev/min-intervall": "1d" };
  const template = { metadata: { annotations: { "reloader.stakater.com/serach": "true" } } };
  const object = { metadata: { ...metadata, annotations }, spec: { template } };
  const workload = projectWorkload(deployment, object as unknown as KubeObject, rules);
  expect(workload.faults).toEqual([
    {
      annotation: "reloader.stakater.com/serach",
      message: "is no annotation that Rollcast reads: is reloader.stakater.com/search meant?",
    },
    {
      annotation: "rollcast.dev/min-intervall",
      message: "is no annotation that Rollcast reads: is rollcast.dev/min-interval meant?",
    },
  ]);
  expect(waitAfter([NOW - 1_000])(workload)).toBeUndefined();
});

test.each([
  { annotation: "rollcast.dev/cronjob", value: "template", on: "CronJob" },
  { annotation: STRATEGY, value: "restart", on: "Rollout" },
])("$annotation counts on a $on, and is a fault elsewhere", ({ annotation, value, on }) => {
  const message = `"${value}" counts on a ${on}, not on a Deployment`;
  expect(workloadWith(annotation, value, "Deployment").faults).toEqual([{ annotation, message }]);
});

test.each(["ignore", "match"] as const)(
  "%s, which counts on sources alone, is a fault on a workload",
  (name) => {
    const { own } = ANNOTATIONS[name];
    const where = "counts on a ConfigMap, Secret or SecretProviderClass, not on a workload";
    expect(workloadWith(own, "true", "Deployment").faults).toEqual([
      { annotation: own, message: `"true" ${where}` },
    ]);
    expect(workloadWith(own, "false", "Deployment").faults).toEqual([]);
  },
);

test("a Rollout that takes the template of a Deployment cannot be rolled by restart", () => {
  const metadata = { name: "web", namespace: "shop", uid: "u", resourceVersion: "1" };
  const object = {
    metadata: { ...metadata, annotations: { [STRATEGY]: "restart" } },
    spec: { workloadRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" } },
  };
  const [fault] = projectWorkload(argoRollout, object as unknown as KubeObject, rules).faults;
  expect(fault?.message).toBe(
    '"restart" cannot be done with the template of a Deployment, and counts as rollout',
  );
});

test("what counts on the workload alone is a fault on its pod template", () => {
  const metadata = { name: "web", namespace: "shop", uid: "u", resourceVersion: "1" };
  const template = { metadata: { annotations: { "rollcast.dev/notify": "team-a" } } };
  const object = { metadata, spec: { template } } as unknown as KubeObject;
  expect(projectWorkload(deployment, object, rules).faults).toEqual([
    {
      annotation: "rollcast.dev/notify",
      message: '"team-a" counts on the workload, not on its pod template',
    },
  ]);
});
