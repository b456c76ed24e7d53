import fc from "fast-check";
import { expect, test } from "vitest";
import { NotifierConfig } from "@rollcast/shared/config/notifier";
import { ROUTE_LABELS } from "@rollcast/shared/config/routes";
import { RolloutOutcome } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import { compileRoute, parseMatcher } from "./compile-route.ts";
import type { RouteLabels } from "./compile-route.ts";
import { createRouter, labelsOf, matchRoutes } from "./router.ts";

const TIME = Date.parse("2026-11-23T03:00:00.000Z");

function event(outcome: RolloutOutcome, namespace = "shop", name = "web") {
  const parts = { id: "e1", cluster: "prod", service: "restarter", time: TIME };
  const workload = { kind: "Deployment", namespace, name, uid: "u" };
  return rolloutEvent(parts, outcome, {
    workload,
    queue: "default",
    reason: "Forbidden",
    cause: { kind: "Secret", namespace, name: "db" },
  });
}

const LABELS = labelsOf(event("failed"), "prod");

test("an event has these labels", () => {
  expect(LABELS).toEqual({
    cluster: "prod",
    namespace: "shop",
    kind: "Deployment",
    name: "web",
    workload: "Deployment/shop/web",
    outcome: "failed",
    severity: "error",
    source: "Secret/shop/db",
    reason: "Forbidden",
    queue: "default",
  });
});

test.each([
  { matcher: 'outcome == "failed"', want: true },
  { matcher: 'outcome=="failed"', want: true },
  { matcher: 'outcome == "fail"', want: false },
  { matcher: 'outcome != "failed"', want: false },
  { matcher: 'namespace != "other"', want: true },
  { matcher: 'namespace =~ "sh.p"', want: true },
  { matcher: 'namespace =~ "sho"', want: false },
  { matcher: 'namespace =~ "shop(-.*)?"', want: true },
  { matcher: 'namespace !~ "shop(-.*)?"', want: false },
  { matcher: 'namespace !~ "sho"', want: true },
  { matcher: 'outcome in ["failed", "stalled"]', want: true },
  { matcher: 'outcome in ["succeeded"]', want: false },
  { matcher: 'severity >= "warning"', want: true },
  { matcher: 'severity >= "error"', want: true },
  { matcher: 'workload == "Deployment/shop/web"', want: true },
])("$matcher is $want of a failed rollout", ({ matcher, want }) => {
  expect(parseMatcher(matcher)(LABELS)).toBe(want);
});

test.each([
  { matcher: "", why: "must be like" },
  { matcher: "outcome", why: "must be like" },
  { matcher: 'colour == "red"', why: "the label must be one of" },
  { matcher: "outcome == failed", why: "double quotes" },
  { matcher: 'outcome == "failed" || true', why: "double quotes" },
  { matcher: 'outcome in "failed"', why: "a list like" },
  { matcher: "outcome in []", why: "a list like" },
  { matcher: "outcome in [1]", why: "a list like" },
  { matcher: 'namespace =~ "("', why: "RE2" },
  { matcher: 'namespace =~ "(?=a)"', why: "RE2" },
  { matcher: `namespace =~ "${"a".repeat(501)}"`, why: "longer than 500" },
  { matcher: 'severity >= "bad"', why: "a severity must be one of" },
  { matcher: 'outcome >= "failed"', why: "for severity only" },
])("the matcher $matcher is refused: $why", ({ matcher, why }) => {
  expect(() => parseMatcher(matcher)).toThrow(why);
});

test("a pattern that would blow up a backtracking engine ends at once", () => {
  const matches = parseMatcher('name =~ "(a+)+$"');
  expect(matches({ ...LABELS, name: `${"a".repeat(253)}!` })).toBe(false);
});

const hook = (name: string) => ({ name, webhook: { url: "https://hooks.example.com/" } });

function receiversFor(route: object, routed = event("failed")): string[] {
  const receivers = [hook("a"), hook("b"), hook("c"), { name: "nobody", none: {} }];
  const config = NotifierConfig.parse({ receivers, route });
  return createRouter(config, "prod")(routed).memberships.map(({ receiver }) => receiver);
}

test("without a route every receiver gets the default outcomes", () => {
  const delivered = RolloutOutcome.options.filter(
    (outcome) => receiversFor({}, event(outcome)).length > 0,
  );
  expect(delivered.toSorted()).toEqual(["failed", "skipped", "stalled", "succeeded", "throttled"]);
  expect(receiversFor({})).toEqual(["a", "b", "c"]);
});

test.each([
  { name: "the root's receiver takes what no route matches", routes: [], want: ["a"] },
  {
    name: "the first match wins",
    routes: [
      { match: ['outcome == "failed"'], receiver: "b" },
      { match: ['namespace == "shop"'], receiver: "c" },
    ],
    want: ["b"],
  },
  {
    name: "continue evaluates the routes after it too",
    routes: [
      { match: ['outcome == "failed"'], receiver: "b", continue: true },
      { match: ['namespace == "shop"'], receiver: "c" },
    ],
    want: ["b", "c"],
  },
  {
    name: "a continue after which nothing matches is enough",
    routes: [{ match: ['outcome == "failed"'], receiver: "b", continue: true }],
    want: ["b"],
  },
  {
    name: "all matchers of a route must hold",
    routes: [{ match: ['outcome == "failed"', 'namespace == "other"'], receiver: "b" }],
    want: ["a"],
  },
  {
    name: "where no child matches, the node itself does",
    routes: [
      {
        match: ['outcome == "failed"'],
        receiver: "b",
        routes: [{ match: ['namespace == "other"'], receiver: "c" }],
      },
    ],
    want: ["b"],
  },
  {
    name: "a child inherits the receiver",
    routes: [
      {
        match: ['outcome == "failed"'],
        receiver: "b",
        routes: [{ match: ['namespace == "shop"'], groupWait: "0" }],
      },
    ],
    want: ["b"],
  },
  {
    name: "none swallows",
    routes: [{ match: ['outcome == "failed"'], receiver: "nobody" }],
    want: [],
  },
])("$name", ({ routes, want }) => {
  expect(receiversFor({ receiver: "a", routes })).toEqual(want);
});

test.each([
  {
    name: "a bad matcher",
    route: { routes: [{ match: ["x"] }] },
    why: "notifier.route.routes[0]: matcher",
  },
  {
    name: "a route that is unreachable",
    route: { routes: [{ receiver: "a" }, { receiver: "b" }] },
    why: "notifier.route.routes[1]: is unreachable",
  },
])("$name stops the start", ({ route, why }) => {
  expect(() => receiversFor(route)).toThrow(why);
});

const settings = fc.record(
  {
    receiver: fc.constantFrom("a", "b", "c"),
    groupBy: fc.uniqueArray(fc.constantFrom(...ROUTE_LABELS)),
    groupWait: fc.nat({ max: 60 }).map((s) => `${s}s`),
    groupInterval: fc.nat({ max: 60 }).map((s) => `${s}m`),
  },
  { requiredKeys: [] },
);

test.each([
  {
    name: "a webhook",
    receiver: { webhook: { url: "https://a.example.com/" } },
    more: "skipped throttled",
  },
  {
    name: "a bot that edits",
    receiver: { slack: { tokenFrom: { env: "T" }, channel: "C0123ABCD" } },
    more: "skipped started throttled",
  },
  {
    name: "an Alertmanager",
    receiver: { alertmanager: { urls: ["https://am.example.com/"] } },
    more: "cancelled superseded",
  },
])("without a route $name gets ends, stalls and $more", ({ receiver, more }) => {
  const config = NotifierConfig.parse({ receivers: [{ name: "a", ...receiver }] });
  const route = createRouter(config, "prod");
  const delivered = RolloutOutcome.options.filter(
    (outcome) => route(event(outcome)).memberships.length > 0,
  );
  const expected = ["failed", "stalled", "succeeded", ...more.split(" ")];
  expect(delivered.toSorted()).toEqual(expected.toSorted());
});

test("a child inherits exactly what it does not set", () => {
  const match = ['outcome == "failed"'];
  fc.assert(
    fc.property(settings, settings, settings, (root, child, grandchild) => {
      const receivers = [hook("a"), hook("b"), hook("c")];
      const route = { ...root, routes: [{ ...child, match, routes: [{ ...grandchild, match }] }] };
      const flat = { ...root, ...child, ...grandchild };
      const deep = NotifierConfig.parse({ receivers, route });
      const plain = NotifierConfig.parse({ receivers, route: flat });
      const [ended] = matchRoutes(compileRoute(deep.route), LABELS);
      const expected = compileRoute(plain.route);
      expect(ended).toEqual({ ...expected, path: "0.0", matchers: ended?.matchers });
    }),
  );
});

test("in any tree every event matches a route, and a match without continue ends the search", () => {
  type Tree = { match: string[]; continue: boolean; receiver: string; routes: Tree[] };
  const matcher = fc.constantFrom('outcome == "failed"', 'namespace == "shop"', 'kind == "Job"');
  const node = (routes: fc.Arbitrary<Tree[]>): fc.Arbitrary<Tree> =>
    fc.record({
      match: fc.array(matcher, { minLength: 1, maxLength: 2 }),
      continue: fc.boolean(),
      receiver: fc.constantFrom("a", "b", "c"),
      routes,
    });
  const leaf = node(fc.constant([]));
  const tree = node(fc.array(node(fc.array(leaf, { maxLength: 2 })), { maxLength: 3 }));
  const outcome = fc.constantFrom(...RolloutOutcome.options);
  const receivers = [hook("a"), hook("b"), hook("c")];
  fc.assert(
    fc.property(fc.array(tree, { maxLength: 3 }), outcome, (routes, outcome) => {
      const config = NotifierConfig.parse({ receivers, route: { receiver: "a", routes } });
      const labels: RouteLabels = labelsOf(event(outcome), "prod");
      const ends = matchRoutes(compileRoute(config.route), labels);
      expect(ends.length).toBeGreaterThan(0);
      const direct = routes.filter(({ match }) =>
        match.every((matcher) => parseMatcher(matcher)(labels)),
      );
      const stop = direct.findIndex((child) => !child.continue);
      const expected = new Set(
        (stop < 0 ? direct : direct.slice(0, stop + 1)).map((child) =>
          String(routes.indexOf(child)),
        ),
      );
      const reached = new Set(ends.map(({ path }) => path.split(".")[0]));
      expect(reached).toEqual(expected.size === 0 ? new Set([""]) : expected);
    }),
  );
});
