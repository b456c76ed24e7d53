import { expect, test } from "vitest";
import { parseConfig } from "./load.ts";
import { selectorFault } from "@rollcast/shared/config/scope";

test.each([
  "",
  "team",
  "!team",
  "team=a",
  "team==a",
  "team!=a",
  "team=",
  "example.com/team in (a, b)",
  "team notin (a),env",
  "tier in (a,b),env=prod, !legacy",
  "size>3",
])("%j is a label selector", (selector) => {
  expect(selectorFault(selector)).toBeUndefined();
});

test.each([
  { selector: "team:a", hint: "key=value" },
  { selector: "team=*", hint: "only key" },
  { selector: "team in a,b", hint: "not a requirement" },
  { selector: "team=a,,env", hint: "not a requirement" },
  { selector: "-team", hint: "not a requirement" },
  { selector: "team in (a", hint: "not a requirement" },
  { selector: `a=${"x".repeat(64)}`, hint: "not a requirement" },
])("$selector is refused", ({ selector, hint }) => {
  expect(selectorFault(selector)).toContain(hint);
});

const config = (scope: string) =>
  parseConfig(
    `{ apiVersion: rollcast.dev/v1, kind: Config, cluster: a, scope: ${scope} }`,
    "rollcast.yaml",
  );

test("the default scope is everything", () => {
  expect(config("{}").scope).toEqual({
    namespaces: [],
    namespaceSelector: "",
    ignoreNamespaces: [],
    resourceSelector: "",
    ignoreKinds: [],
  });
});

test.each([
  { scope: "{ namespaces: [a], namespaceSelector: team }", fault: "scope.namespaceSelector:" },
  { scope: "{ namespaces: [a], ignoreNamespaces: [b] }", fault: "scope.ignoreNamespaces:" },
  { scope: "{ namespaces: [A_b] }", fault: "scope.namespaces[0]:" },
  { scope: "{ namespaceSelector: 'team:a' }", fault: "scope.namespaceSelector:" },
  { scope: "{ resourceSelector: '=' }", fault: "scope.resourceSelector:" },
  { scope: "{ ignoreKinds: [Pod] }", fault: "scope.ignoreKinds[0]:" },
  {
    scope: "{ ignoreKinds: [ConfigMap, Secret, SecretProviderClass] }",
    fault: "scope.ignoreKinds:",
  },
])("$scope names its fault", ({ scope, fault }) => {
  expect(() => config(scope)).toThrow(fault);
});
