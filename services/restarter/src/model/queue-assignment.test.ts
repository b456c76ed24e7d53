import { Config } from "@rollcast/shared/config/schema";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createAssignQueue } from "./queue-assignment.ts";
import type { QueueCriteria } from "./queue-assignment.ts";

function assigner(parts: object) {
  return createAssignQueue(
    Config.parse({ apiVersion: "rollcast.dev/v1", kind: "Config", cluster: "c", ...parts }),
  );
}

const QUEUES = [
  { name: "shop-web", match: { namespaces: ["shop"], workloadSelector: "app=web" } },
  { name: "shop", match: { namespaces: ["shop"] } },
  { name: "gold", match: { namespaceSelector: "tier=gold", kinds: ["Deployment", "StatefulSet"] } },
  { name: "canary", match: { workloadSelector: "canary" } },
];

type Case = {
  namespace?: string;
  kind?: string;
  labels?: Record<string, string>;
  annotation?: string;
  templateAnnotation?: string;
  tier?: string;
};

function workload(workloadCase: Case): QueueCriteria {
  const annotated = (value: string | undefined): Record<string, string> =>
    value === undefined ? {} : { "rollcast.dev/queue": value };
  return {
    kind: workloadCase.kind ?? "Deployment",
    namespace: workloadCase.namespace ?? "blog",
    labels: workloadCase.labels ?? {},
    annotations: annotated(workloadCase.annotation),
    templateAnnotations: annotated(workloadCase.templateAnnotation),
  };
}

function place(workloadCase: Case, annotation: object = {}) {
  const labels: Record<string, string> =
    workloadCase.tier === undefined ? {} : { tier: workloadCase.tier };
  return assigner({ queues: QUEUES, queueAnnotation: annotation })(workload(workloadCase), labels);
}

test.each<[Case, string]>([
  [{}, "default"],
  [{ namespace: "shop" }, "shop"],
  [{ namespace: "shop", labels: { app: "web" } }, "shop-web"],
  [{ namespace: "shop", labels: { app: "api" } }, "shop"],
  [{ labels: { app: "web" } }, "default"],
  [{ tier: "gold" }, "gold"],
  [{ tier: "gold", kind: "StatefulSet" }, "gold"],
  [{ tier: "gold", kind: "CronJob" }, "default"],
  [{ tier: "silver" }, "default"],
  [{ tier: "gold", namespace: "shop" }, "shop"],
  [{ tier: "gold", labels: { canary: "" } }, "gold"],
  [{ labels: { canary: "" } }, "canary"],
])("%j is assigned to %s", (workloadCase, queue) => {
  expect(place(workloadCase)).toEqual({ queue });
});

test.each<[string, Case, object, object]>([
  ["chooses", { annotation: "gold" }, { namespaces: ["blog"] }, { queue: "gold" }],
  [
    "chooses by its template",
    { templateAnnotation: "gold" },
    { namespaces: ["*"] },
    { queue: "gold" },
  ],
  [
    "is asked before its template",
    { annotation: "shop", templateAnnotation: "gold" },
    { namespaces: ["*"] },
    { queue: "shop" },
  ],
  [
    "chooses where labels of its namespace allow it",
    { annotation: "default", tier: "gold" },
    { namespaceSelector: "tier" },
    { queue: "default" },
  ],
  [
    "may not choose by default",
    { annotation: "gold", namespace: "shop" },
    {},
    { queue: "shop", refused: { name: "gold", why: "not-allowed" } },
  ],
  [
    "may not choose from another namespace",
    { annotation: "gold" },
    { namespaces: ["shop"], namespaceSelector: "tier" },
    { queue: "default", refused: { name: "gold", why: "not-allowed" } },
  ],
  [
    "needs no leave for where it is anyway",
    { annotation: "shop", namespace: "shop" },
    {},
    { queue: "shop" },
  ],
  [
    "asks for what is not there",
    { annotation: "glod", namespace: "shop" },
    { namespaces: ["*"] },
    { queue: "default", refused: { name: "glod", why: "unknown" } },
  ],
])("a workload that %s", (_, workloadCase, annotation, assignment) => {
  expect(place(workloadCase, annotation)).toEqual(assignment);
});

const names = fc.constantFrom("default", "shop-web", "shop", "gold", "canary");
const cases = fc.record<Case>(
  {
    namespace: fc.constantFrom("shop", "blog", "toString"),
    kind: fc.constantFrom("Deployment", "CronJob"),
    labels: fc.dictionary(fc.constantFrom("app", "canary", "x"), fc.constantFrom("web", "")),
    annotation: fc.oneof(names, fc.string()),
    templateAnnotation: names,
    tier: fc.constantFrom("gold", "silver"),
  },
  { requiredKeys: [] },
);
const annotations = fc.constantFrom({}, { namespaces: ["*"] }, { namespaces: ["shop"] });

test("every workload is in exactly one configured queue, deterministically, whatever it requests", () => {
  const queues = new Set(["default", "shop-web", "shop", "gold", "canary"]);
  fc.assert(
    fc.property(cases, annotations, (workloadCase, annotation) => {
      const assignment = place(workloadCase, annotation);
      expect(queues.has(assignment.queue)).toBe(true);
      expect(place(workloadCase, annotation)).toEqual(assignment);
      const requested = workloadCase.annotation ?? workloadCase.templateAnnotation;
      if (requested === undefined) expect(assignment.refused).toBeUndefined();
      else expect(assignment.refused === undefined).toBe(assignment.queue === requested);
    }),
  );
});

test("if no namespace may choose, a queue annotation has no effect", () => {
  fc.assert(
    fc.property(cases, names, (workloadCase, annotation) => {
      const { annotation: _, templateAnnotation: __, ...plain } = workloadCase;
      expect(place({ ...plain, annotation }).queue).toBe(place(plain).queue);
    }),
  );
});
