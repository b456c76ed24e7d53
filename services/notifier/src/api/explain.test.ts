import fc from "fast-check";
import { expect, test } from "vitest";
import { NotifierConfig } from "@rollcast/shared/config/notifier";
import { RolloutOutcome } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import { createRouter } from "../route/router.ts";
import { explain } from "./explain.ts";

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

test("the explanation matches the router: the same routes in the same order, and all their matchers match", () => {
  const receivers = ["a", "b", "c"].map((name) => ({
    name,
    webhook: { url: "https://hooks.example.com/" },
  }));
  const outcome = fc.constantFrom(...RolloutOutcome.options);
  fc.assert(
    fc.property(fc.array(tree, { maxLength: 3 }), outcome, (routes, outcome) => {
      const config = NotifierConfig.parse({ receivers, route: { receiver: "a", routes } });
      const route = createRouter(config, "prod");
      const parts = { id: "e", cluster: "prod", service: "restarter", time: 0 };
      const workload = { kind: "Deployment", namespace: "shop", name: "web", uid: "u" };
      const event = rolloutEvent(parts, outcome, { workload });
      const explanation = explain(event, { config, route, cluster: "prod" });
      const ends = explanation.routes.filter((step) => step.ends);
      expect(ends.map(({ path }) => path)).toEqual(route(event).routes);
      expect(ends.map(({ receiver }) => receiver)).toEqual(
        explanation.deliveries.map(({ receiver }) => receiver),
      );
      for (const end of ends) expect(end.matchers.every(({ matches }) => matches)).toBe(true);
    }),
  );
});
