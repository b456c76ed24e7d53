import { z } from "zod";

/**
 * Kinds that Rollcast knows by itself: records are kept by kind, so a custom resource cannot have
 * the name of one of them.
 */
const KNOWN = new Set([
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "CronJob",
  "Job",
  "Rollout",
  "DeploymentConfig",
  "ReplicaSet",
  "Pod",
]);
const GROUP = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/;
const STEP = "[A-Za-z_][A-Za-z0-9_-]*";

const Kind = z.strictObject({
  /** API group, like `apps.kruise.io`. */
  group: z.string().max(253).regex(GROUP, "must be an API group, like apps.example.com"),
  version: z.string().regex(/^v[0-9]+((alpha|beta)[0-9]+)?$/, "must be an API version, like v1"),
  kind: z
    .string()
    .max(63)
    .regex(/^[A-Z][A-Za-z0-9]*$/, "must be a kind, like CloneSet")
    .refine((kind) => !KNOWN.has(kind), "is the name of a kind that Rollcast knows by itself"),
  /** As the API names it, which permissions are given for: like `clonesets`. */
  plural: z
    .string()
    .max(63)
    .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "must be the plural, like clonesets"),
  /** Where its pod template is: fields with dots, as `kubectl explain` takes them. */
  templatePath: z
    .string()
    .max(253)
    .regex(new RegExp(`^${STEP}(\\.${STEP})+$`), "must be fields with dots, like spec.template"),
});

/**
 * The `kinds:` part of rollcast.yaml: custom resources with a pod template that are rolled as
 * workloads.
 */
export const Kinds = z
  .array(Kind)
  .max(50)
  .default([])
  .superRefine((kinds, ctx) => {
    for (const [i, { kind }] of kinds.entries()) {
      if (kinds.findIndex((other) => other.kind === kind) === i) continue;
      const message = `${kind} is there twice: one version of one group is followed`;
      ctx.addIssue({ code: "custom", path: [i, "kind"], message });
    }
  });
