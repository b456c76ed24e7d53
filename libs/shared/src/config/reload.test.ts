import { expect, test } from "vitest";
import { Reload } from "./reload.ts";

test("every key has a default, and none of them rolls more than the annotations ask for", () => {
  expect(Reload.parse({})).toEqual({
    auto: false,
    onCreate: false,
    onDelete: false,
    strategy: "marker",
    ignoredWorkloadTypes: [],
    annotations: {},
    sharedNamespaces: [],
    imagePullSecrets: false,
  });
});

test.each([
  { reload: { auto: "true" }, path: "auto" },
  { reload: { strategy: "env-vars" }, path: "strategy" },
  { reload: { ignoredWorkloadTypes: ["Job"] }, path: "ignoredWorkloadTypes.0" },
  { reload: { annotations: { atuo: "a/b" } }, path: "annotations" },
  { reload: { annotations: { auto: "not a name" } }, path: "annotations.auto" },
  { reload: { sharedNamespaces: ["Shop"] }, path: "sharedNamespaces.0" },
  { reload: { onUpdate: true }, path: "" },
])("refuses $reload", ({ reload, path }) => {
  const parsed = Reload.safeParse(reload);
  expect(parsed.error?.issues.map((issue) => issue.path.join("."))).toEqual([path]);
});
