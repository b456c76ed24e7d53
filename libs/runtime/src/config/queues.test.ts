import { expect, test } from "vitest";
import { parseConfig } from "./load.ts";

const HEAD = "apiVersion: rollcast.dev/v1\nkind: Config\ncluster: c\n";

function faults(text: string): string[] {
  try {
    parseConfig(HEAD + text, "f.yaml");
    return [];
  } catch (err) {
    return String(err).split("\n").slice(1);
  }
}

test("the queue default is always there, with its defaults", () => {
  const { queues, queueAnnotation } = parseConfig(HEAD, "f.yaml");
  expect(queues).toEqual([
    {
      name: "default",
      concurrency: 20,
      window: 1_000,
      attempts: 6,
      backoff: { initial: 500, max: 30_000 },
      haltAfter: 3,
    },
  ]);
  expect(queueAnnotation).toEqual({ namespaces: [], namespaceSelector: "" });
});

test("a queue as an operator writes it", () => {
  const { queues } = parseConfig(
    `${HEAD}queues:
  - name: critical
    match: { namespaces: [shop], kinds: [Deployment], workloadSelector: "tier in (front)" }
    concurrency: 5
    rateLimit: { max: 5, per: 1s }
    maxRolling: 3
    maxRollingPerNamespace: 1
    backoff: { max: 5s }
`,
    "f.yaml",
  );
  expect(queues.map(({ name }) => name)).toEqual(["critical", "default"]);
  expect(queues[0]).toMatchObject({
    rateLimit: { max: 5, per: 1_000 },
    backoff: { initial: 500, max: 5_000 },
    match: { namespaceSelector: "" },
  });
});

test.each([
  ["queues: [{name: a, match: {}}]", "queues[0].match: is empty"],
  ["queues: [{name: a}]", "queues[0].match: is missing, and queueAnnotation lets no namespace"],
  ["queues: [{name: default}, {name: default}]", "queues[1].name: "],
  ["queues: [{name: default, match: {kinds: [Job]}}]", "queues[0].match: cannot be used: default"],
  ["queues: [{name: A b, match: {kinds: [Job]}}]", "queues[0].name: must be a DNS label"],
  ["queues: [{name: a, match: {kinds: [deploy]}}]", "queues[0].match.kinds[0]: must be a kind"],
  ["queues: [{name: default, maxRolling: 0}]", "queues[0].maxRolling: must be at least 1"],
  ["queues: [{name: default, rateLimit: {max: 5}}]", "queues[0].rateLimit.per: "],
  [
    "queues: [{name: a, match: {workloadSelector: 'app:web'}}]",
    'queues[0].match.workloadSelector: "app:web" is not a requirement',
  ],
  [
    "scope: {namespaces: [x]}\nqueues: [{name: a, match: {namespaceSelector: 'b=c'}}]",
    "queues[0].match.namespaceSelector: cannot be used together with scope.namespaces",
  ],
  [
    "scope: {namespaces: [x]}\nqueueAnnotation: {namespaceSelector: 'b=c'}",
    "queueAnnotation.namespaceSelector: cannot be used together with scope.namespaces",
  ],
  ["queueAnnotation: {namespaces: '*'}", "queueAnnotation.namespaces: must be a list"],
])("%s is refused", (text, fault) => {
  expect(faults(text)).toEqual([expect.stringContaining(fault)]);
});

test.each([
  "queueAnnotation: {namespaces: ['*']}\nqueues: [{name: a}]",
  "queueAnnotation: {namespaces: [shop]}\nqueues: [{name: a}]",
  "queueAnnotation: {namespaceSelector: team}\nqueues: [{name: a}]",
])("%s is taken", (text) => {
  expect(faults(text)).toEqual([]);
});
