import type { SourceKind } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { describe, expect, test } from "vitest";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { explain, presentContents, verdict, verdicts } from "./verdict.ts";
import type { CheckName } from "./verdict.ts";

type Annotations = Readonly<Record<string, string>>;
type Case = {
  /** Each case names its row in Reloader's contract. */
  name: string;
  own?: Annotations;
  template?: Annotations;
  spec?: Record<string, unknown>;
  source?: { kind?: SourceKind; namespace?: string; name?: string; annotations?: Annotations };
  reload?: object;
  owner?: { apiVersion: string; kind: string };
  deleting?: boolean;
  want: CheckName;
};

const CRON_JOB = { apiVersion: "batch/v1", kind: "CronJob" };
const NOTHING = { containers: [{ name: "web", image: "web:1" }] };
const R = "reloader.stakater.com";
const RELOAD = `configmap.${R}/reload`;
const ROLLS: ReadonlySet<CheckName> = new Set(["named", "search-match", "auto", "auto-reload-all"]);

function ask({
  own,
  template,
  spec,
  source,
  reload,
  owner,
  deleting,
}: Omit<Case, "want" | "name">) {
  const rules = rulesOf(reload);
  const ownerReferences =
    owner === undefined ? [] : [{ ...owner, name: "o", uid: "u", controller: true }];
  const workload = givenWorkload({
    annotations: own ?? {},
    templateAnnotations: template ?? {},
    ...(spec === undefined ? {} : { spec }),
    metadata: {
      ownerReferences,
      ...(deleting === true ? { deletionTimestamp: "2026-01-02T00:00:00Z" } : {}),
    },
    rules,
  });
  const { annotations = {}, ...named } = source ?? {};
  return {
    rules,
    workload,
    source: { kind: "ConfigMap", namespace: "shop", name: "cfg", ...named } as const,
    record: { annotations } as unknown as SourceRecord,
  };
}

function check({ want, ...given }: Case): void {
  const { verdict: decided, checks } = explain(ask(given));
  expect([decided.check, decided.roll]).toEqual([want, ROLLS.has(want)]);
  expect(decided.message).not.toBe("");
  expect(checks.at(-1)).toEqual({ check: want, applies: true });
  expect(checks.slice(0, -1).every(({ applies }) => !applies)).toBe(true);
}

describe("1.1 the annotations", () => {
  const cases: Case[] = [
    { name: "1.1 auto on the workload", own: { [`${R}/auto`]: "true" }, want: "auto" },
    { name: "1.1 auto on the pod template", template: { [`${R}/auto`]: "true" }, want: "auto" },
    ...["1", "t", "T", "TRUE", "true", "True"].map((value): Case => ({
      name: `1.1 auto takes ParseBool's ${value}`,
      own: { [`${R}/auto`]: value },
      want: "auto",
    })),
    ...["yes", "tRUE", " true", "0", "F", "false", "on"].map((value): Case => ({
      name: `1.1 auto takes "${value}" for no`,
      own: { [`${R}/auto`]: value },
      want: "opted-out",
    })),
    {
      name: "1.1 any value that is not true opts out of auto-reload-all",
      own: { [`${R}/auto`]: "nope" },
      reload: { auto: true },
      want: "opted-out",
    },
    {
      name: "1.1 configmap auto: a ConfigMap",
      own: { [`configmap.${R}/auto`]: "true" },
      want: "auto",
    },
    {
      name: "1.1 configmap auto: no Secret",
      own: { [`configmap.${R}/auto`]: "true" },
      source: { kind: "Secret", name: "sec" },
      want: "not-opted-in",
    },
    {
      name: "1.1 secret auto: a Secret",
      own: { [`secret.${R}/auto`]: "true" },
      source: { kind: "Secret", name: "sec" },
      want: "auto",
    },
    {
      name: "1.1 secret auto: no ConfigMap",
      own: { [`secret.${R}/auto`]: "true" },
      want: "not-opted-in",
    },
    {
      name: "1.1 secretproviderclass auto",
      own: { [`secretproviderclass.${R}/auto`]: "true" },
      source: { kind: "SecretProviderClass", name: "spc" },
      want: "auto",
    },
    {
      name: "1.1 configmap reload: without a reference",
      own: { [RELOAD]: "cfg" },
      spec: NOTHING,
      want: "named",
    },
    {
      name: "1.1 configmap reload names no Secret",
      own: { [RELOAD]: "sec" },
      source: { kind: "Secret", name: "sec" },
      want: "not-opted-in",
    },
    {
      name: "1.1 secret reload",
      own: { [`secret.${R}/reload`]: "sec" },
      source: { kind: "Secret", name: "sec" },
      spec: NOTHING,
      want: "named",
    },
    {
      name: "1.1 secretproviderclass reload",
      own: { [`secretproviderclass.${R}/reload`]: "spc" },
      source: { kind: "SecretProviderClass", name: "spc" },
      spec: NOTHING,
      want: "named",
    },
    {
      name: "1.1 search and match",
      own: { [`${R}/search`]: "true" },
      source: { annotations: { [`${R}/match`]: "true" } },
      want: "search-match",
    },
    {
      name: "1.1 search is exactly true",
      own: { [`${R}/search`]: "True" },
      source: { annotations: { [`${R}/match`]: "true" } },
      want: "not-opted-in",
    },
    {
      name: "1.1 match is exactly true",
      own: { [`${R}/search`]: "true" },
      source: { annotations: { [`${R}/match`]: "1" } },
      want: "not-opted-in",
    },
    {
      name: "1.1 ignore is exactly true",
      own: { [`${R}/auto`]: "true" },
      source: { annotations: { [`${R}/ignore`]: "True" } },
      want: "auto",
    },
    {
      name: "1.1 ignore is not read on workloads",
      own: { [`${R}/auto`]: "true", [`${R}/ignore`]: "true" },
      want: "auto",
    },
    {
      name: "1.1 exclude beats named",
      own: { [RELOAD]: "cfg", [`configmaps.exclude.${R}/reload`]: "other, cfg" },
      want: "excluded",
    },
    {
      name: "1.1 exclude is no pattern",
      own: { [`${R}/auto`]: "true", [`configmaps.exclude.${R}/reload`]: "cf." },
      want: "auto",
    },
    {
      name: "1.1 secrets exclude",
      own: { [`${R}/auto`]: "true", [`secrets.exclude.${R}/reload`]: "sec" },
      source: { kind: "Secret", name: "sec" },
      want: "excluded",
    },
    {
      name: "1.1 secretproviderclasses exclude",
      own: { [`${R}/auto`]: "true", [`secretproviderclasses.exclude.${R}/reload`]: "spc" },
      source: { kind: "SecretProviderClass", name: "spc" },
      want: "excluded",
    },
    {
      name: "0 exclude is also read from the pod template",
      own: { [`${R}/auto`]: "true" },
      template: { [`configmaps.exclude.${R}/reload`]: "cfg" },
      want: "excluded",
    },
    {
      name: "0 search is also read from the pod template",
      template: { [`${R}/search`]: "true" },
      source: { annotations: { [`${R}/match`]: "true" } },
      want: "search-match",
    },
    { name: "0 our own name counts", own: { "rollcast.dev/auto": "true" }, want: "auto" },
    {
      name: "0 our own name has precedence",
      own: { "rollcast.dev/auto": "false", [`${R}/auto`]: "true" },
      want: "opted-out",
    },
    {
      name: "0 our own match and ignore count",
      own: { "rollcast.dev/auto": "true" },
      source: { annotations: { "rollcast.dev/ignore": "true" } },
      want: "source-ignored",
    },
    {
      name: "1.1 a renamed annotation counts",
      own: { "example.com/auto": "true" },
      reload: { annotations: { auto: "example.com/auto" } },
      want: "auto",
    },
    {
      name: "1.1 the old name of a renamed annotation does not",
      own: { [`${R}/auto`]: "true" },
      reload: { annotations: { auto: "example.com/auto" } },
      want: "not-opted-in",
    },
    {
      name: "1.1 a renamed annotation of sources counts",
      own: { [`${R}/auto`]: "true" },
      source: { annotations: { "example.com/ignore": "true" } },
      reload: { annotations: { ignore: "example.com/ignore" } },
      want: "source-ignored",
    },
  ];
  test.each(cases)("$name", check);
});

describe("1.2 the order of decision", () => {
  const cases: Case[] = [
    {
      name: "beyond: a workload that is being deleted is left alone",
      own: { [RELOAD]: "cfg" },
      deleting: true,
      want: "deleting",
    },
    {
      name: "1.2.1 an ignored type of workload comes first",
      own: { [RELOAD]: "cfg" },
      reload: { ignoredWorkloadTypes: ["deployments"] },
      want: "workload-type-ignored",
    },
    {
      name: "1.2.2 an ignored source beats named",
      own: { [RELOAD]: "cfg" },
      source: { annotations: { [`${R}/ignore`]: "true" } },
      want: "source-ignored",
    },
    {
      name: "1.2.3 the workload's word silences the pod template",
      own: { [`${R}/auto`]: "false" },
      template: { [RELOAD]: "cfg" },
      want: "opted-out",
    },
    {
      name: "1.2.3 presence counts, also of an empty value",
      own: { [`${R}/search`]: "" },
      template: { [RELOAD]: "cfg" },
      want: "not-opted-in",
    },
    {
      name: "1.2.3 the choice is made by kind of source: ConfigMap annotations leave Secrets to the pod template",
      own: { [RELOAD]: "cfg" },
      template: { [`${R}/auto`]: "true" },
      source: { kind: "Secret", name: "sec" },
      want: "auto",
    },
    {
      name: "1.2.3 and for ConfigMaps the pod template is not read",
      own: { [RELOAD]: "other" },
      template: { [`${R}/auto`]: "true" },
      want: "not-opted-in",
    },
    {
      name: "1.2.4 excluded before named",
      own: { [RELOAD]: ".*", [`configmaps.exclude.${R}/reload`]: "cfg" },
      want: "excluded",
    },
    { name: "1.2.5 entries are trimmed", own: { [RELOAD]: " a , cfg " }, want: "named" },
    { name: "1.2.5 an entry is a pattern", own: { [RELOAD]: "c.g" }, want: "named" },
    { name: "1.2.5 anchored at both ends", own: { [RELOAD]: "cf" }, want: "not-opted-in" },
    {
      name: "1.2.5 ungrouped: a|b is begins with a, or ends with b",
      own: { [RELOAD]: "cfg|zzz" },
      source: { name: "cfg-extra" },
      want: "named",
    },
    {
      name: "1.2.5 ungrouped: or ends with b",
      own: { [RELOAD]: "zzz|cfg" },
      source: { name: "my-cfg" },
      want: "named",
    },
    {
      name: "1.2.5 commas inside a pattern split it",
      own: { [RELOAD]: "x{1,2}" },
      source: { name: "xx" },
      spec: NOTHING,
      want: "not-referenced",
    },
    {
      name: "1.2.5 an invalid pattern is passed over, the others count",
      own: { [RELOAD]: "(, cfg" },
      want: "named",
    },
    { name: "1.2.5 an empty list names nothing", own: { [RELOAD]: "" }, want: "not-opted-in" },
    {
      name: "1.2.5 named before auto: together they are a union",
      own: { [`${R}/auto`]: "true", [RELOAD]: "cfg" },
      want: "named",
    },
    {
      name: "1.2.6 search before auto",
      own: { [`${R}/search`]: "true", [`${R}/auto`]: "true" },
      source: { annotations: { [`${R}/match`]: "true" } },
      want: "search-match",
    },
    {
      name: "1.2.6 search reloads only what is referenced",
      own: { [`${R}/search`]: "true" },
      source: { annotations: { [`${R}/match`]: "true" } },
      spec: NOTHING,
      want: "not-referenced",
    },
    {
      name: "1.2.7 auto false and the kind's auto true: yes",
      own: { [`${R}/auto`]: "false", [`configmap.${R}/auto`]: "true" },
      want: "auto",
    },
    { name: "1.2.7 auto-reload-all", reload: { auto: true }, want: "auto-reload-all" },
    {
      name: "1.2.7 empty values do not opt out of auto-reload-all",
      own: { [`${R}/auto`]: "" },
      reload: { auto: true },
      want: "auto-reload-all",
    },
    {
      name: "1.2.7 a kind's false opts out of auto-reload-all for that kind",
      own: { [`configmap.${R}/auto`]: "false" },
      reload: { auto: true },
      want: "opted-out",
    },
    {
      name: "1.2.7 and not for the others",
      own: { [`configmap.${R}/auto`]: "false" },
      reload: { auto: true },
      source: { kind: "Secret", name: "sec" },
      want: "auto-reload-all",
    },
    {
      name: "1.2.7 auto reloads only what is referenced",
      own: { [`${R}/auto`]: "true" },
      source: { name: "other" },
      want: "not-referenced",
    },
    { name: "1.2.8 else no", want: "not-opted-in" },
    {
      name: "1.2 always the same namespace",
      own: { [RELOAD]: "cfg" },
      source: { namespace: "other" },
      want: "not-referenced",
    },
    {
      name: "beyond: another namespace where the configuration allows it",
      own: { [RELOAD]: "common/cfg" },
      source: { namespace: "common" },
      reload: { sharedNamespaces: ["common"] },
      want: "named",
    },
    {
      name: "beyond: not where it does not",
      own: { [RELOAD]: "common/cfg" },
      source: { namespace: "common" },
      want: "not-referenced",
    },
    {
      name: "beyond: what a watched workload owns is rolled through its owner",
      own: { [`${R}/auto`]: "true" },
      owner: CRON_JOB,
      want: "owned",
    },
    {
      name: "beyond: what an unwatched one owns is rolled itself",
      own: { [`${R}/auto`]: "true" },
      owner: { apiVersion: "v1", kind: "Kafka" },
      want: "auto",
    },
  ];
  test.each(cases)("$name", check);
});

test.each<Omit<Case, "name" | "want"> & { want: boolean }>([
  { own: {}, want: false },
  { own: { [`${R}/auto`]: "true" }, want: true },
  { own: { [`${R}/auto`]: "true" }, spec: NOTHING, want: false },
  { own: { [RELOAD]: "x" }, spec: NOTHING, want: true },
  { own: { [`${R}/search`]: "true" }, want: true },
  { own: {}, reload: { auto: true }, want: true },
  { own: { [`${R}/auto`]: "no" }, reload: { auto: true }, want: false },
  { own: { [`${R}/auto`]: "true" }, owner: CRON_JOB, want: false },
  {
    own: { [`${R}/auto`]: "true" },
    reload: { ignoredWorkloadTypes: ["deployments"] },
    want: false,
  },
])("may roll at all: $own $reload $owner", ({ want, ...given }) => {
  expect(ask(given).workload.mayRoll).toBe(want);
});

test("what a kind of another group owns is rolled itself, whatever the kind's name", () => {
  const owner = { apiVersion: "batch.example.com/v1", kind: "CronJob" };
  const question = ask({ own: { [`${R}/auto`]: "true" }, owner });
  expect(verdict(question).check).toBe("auto");
  expect(question.workload.mayRoll).toBe(true);
});

test("reports unreadable annotation entries and uses the rest", () => {
  const { workload } = ask({
    own: { [RELOAD]: `(,cfg,common/x,a{999}{999},${"y.".repeat(150)},z{600}z{600}` },
  });
  expect(workload.optIn.ConfigMap.named.map(({ pattern }) => pattern)).toEqual(["cfg"]);
  expect(workload.faults.map(({ message }) => message)).toEqual([
    expect.stringContaining('"(" is no regular expression that RE2 takes'),
    expect.stringContaining("reload.sharedNamespaces does not list"),
    expect.stringContaining("repeats more than 1000 times"),
    expect.stringContaining("is longer than 256 characters"),
    expect.stringContaining("repeats more than 1000 times"),
  ]);
});

test("a workload that uses one key counts that key, one that names the source counts all keys", () => {
  const spec = {
    containers: [
      {
        name: "c",
        env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "cfg", key: "a" } } }],
      },
    ],
  };
  const contents = (own: Annotations) => {
    const { workload, rules } = ask({ own, spec });
    const sources = new Map([["ConfigMap/shop/cfg" as const, undefined]]);
    return presentContents(workload, sources, verdicts(workload, sources, rules))[
      "ConfigMap/shop/cfg"
    ]?.keys;
  };
  expect(contents({ [`${R}/auto`]: "true" })).toEqual(["a"]);
  expect(contents({ [RELOAD]: "cfg" })).toBe("*");
  expect(contents({})).toBeUndefined();
});

test("verdict and explain agree", () => {
  const question = ask({ own: { [`${R}/auto`]: "true" } });
  expect(verdict(question)).toEqual(explain(question).verdict);
});
