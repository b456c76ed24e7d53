import { z } from "zod";
import { ApiSettings } from "./api.ts";
import { Templates } from "./templates.ts";
import type { Route } from "./routes.ts";
import { AnnotationRule, RootRoute } from "./routes.ts";
import { ReceiverConfig } from "./receivers.ts";

/**
 * The `notifier:` part of rollcast.yaml. What matchers say is checked where they are compiled, at
 * the notifier's start.
 */
export const NotifierConfig = z
  .strictObject({
    receivers: z.array(ReceiverConfig).max(100).default([]),
    route: RootRoute.prefault({}),
    annotation: AnnotationRule.prefault({}),
    api: ApiSettings("0.0.0.0:8082").optional(),
    /** Of every receiver that has none of its own. */
    templates: Templates.prefault({}),
  })
  .superRefine(({ receivers, route }, ctx) => {
    const names = new Set<string>();
    for (const [i, { name }] of receivers.entries()) {
      if (names.has(name)) {
        const message = `another receiver is named "${name}" already`;
        ctx.addIssue({ code: "custom", path: ["receivers", i, "name"], message });
      }
      names.add(name);
    }
    const check = (node: Pick<Route, "receiver" | "routes">, path: (string | number)[]) => {
      if (node.receiver !== undefined && !names.has(node.receiver)) {
        const message = `there is no receiver named "${node.receiver}"`;
        ctx.addIssue({ code: "custom", path: [...path, "receiver"], message });
      }
      for (const [i, child] of node.routes.entries()) check(child, [...path, "routes", i]);
    };
    check(route, ["route"]);
  });
export type NotifierConfig = z.infer<typeof NotifierConfig>;
