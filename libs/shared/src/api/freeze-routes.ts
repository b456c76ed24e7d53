import { z } from "zod";
import { defineRoute } from "./route.ts";
import { For, Origin } from "./queue-routes.ts";

export const FreezeView = z
  .object({
    level: z.enum(["cluster", "namespace", "workload"]),
    kind: z.string().optional(),
    namespace: z.string().optional(),
    name: z.string().optional(),
    comment: z.string().optional(),
    ...Origin,
  })
  .meta({ description: "Nothing in this scope is rolled until then, or until it is taken back" });
export type FreezeView = z.infer<typeof FreezeView>;

const Namespace = z.string().min(1).max(63);

const Text = z.string().min(1).max(253);

const Scope = {
  cluster: { level: z.literal("cluster") },
  namespace: { level: z.literal("namespace"), namespace: Namespace },
  workload: { level: z.literal("workload"), kind: Text, namespace: Namespace, name: Text },
};

const FreezeOptions = { for: For, comment: z.string().max(256).optional() };

export const listFreezes = defineRoute({
  method: "GET",
  path: "/v1/freezes",
  name: "listFreezes",
  summary: "What is frozen",
  response: z.object({ items: z.array(FreezeView) }),
});

export const createFreeze = defineRoute({
  method: "POST",
  path: "/v1/freezes",
  name: "createFreeze",
  summary: "Freeze the cluster, a namespace or a workload, or set such a freeze anew",
  body: z.union([
    z.strictObject({ ...Scope.cluster, ...FreezeOptions }),
    z.strictObject({ ...Scope.namespace, ...FreezeOptions }),
    z.strictObject({ ...Scope.workload, ...FreezeOptions }),
  ]),
  response: FreezeView,
  status: 201,
});

export const removeFreeze = defineRoute({
  method: "DELETE",
  path: "/v1/freezes",
  name: "removeFreeze",
  summary: "Take a freeze back: what became due is done once, with the last content",
  query: z.strictObject({
    level: z.enum(["cluster", "namespace", "workload"]),
    kind: Text.optional(),
    namespace: Namespace.optional(),
    name: Text.optional(),
  }),
});
