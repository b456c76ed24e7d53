import { expect, test } from "vitest";
import { Kinds } from "./kinds.ts";

const CLONE_SET = {
  group: "apps.kruise.io",
  version: "v1alpha1",
  kind: "CloneSet",
  plural: "clonesets",
  templatePath: "spec.template",
};

test("a custom resource is named by group, version, kind and the path of its template", () => {
  expect(Kinds.parse(undefined)).toEqual([]);
  expect(Kinds.parse([CLONE_SET])).toEqual([CLONE_SET]);
});

test.each([
  { over: { group: "kruise" }, path: "0.group", says: "API group" },
  { over: { version: "1" }, path: "0.version", says: "API version" },
  { over: { kind: "cloneSet" }, path: "0.kind", says: "must be a kind" },
  { over: { kind: "StatefulSet" }, path: "0.kind", says: "knows by itself" },
  { over: { plural: "CloneSets" }, path: "0.plural", says: "plural" },
  { over: { templatePath: "/spec/template" }, path: "0.templatePath", says: "spec.template" },
  { over: { templatePath: "template" }, path: "0.templatePath", says: "spec.template" },
  { over: { more: 1 }, path: "0", says: "more" },
])("refuses $over", ({ over, path, says }) => {
  const [issue] = Kinds.safeParse([{ ...CLONE_SET, ...over }]).error?.issues ?? [];
  expect(issue?.path.join(".")).toBe(path);
  expect(issue?.message).toContain(says);
});

test("refuses a kind that is there twice", () => {
  const twice = [CLONE_SET, { ...CLONE_SET, version: "v1beta1" }];
  expect(Kinds.safeParse(twice).error?.issues[0]?.path).toEqual([1, "kind"]);
});
