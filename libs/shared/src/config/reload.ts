import { z } from "zod";
import { ANNOTATION_KEYS } from "../annotations.ts";

const ANNOTATION =
  /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;

const Namespace = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a namespace name");

/** The `reload:` part of rollcast.yaml: what makes workloads roll, and what a rollout writes. */
export const Reload = z.strictObject({
  /**
   * Every workload without an annotation of its own rolls for every source that it uses. Reloader's
   * `--auto-reload-all`.
   */
  auto: z.boolean().default(false),
  /** A source that is created is a reason to roll. Reloader's `--reload-on-create`. */
  onCreate: z.boolean().default(false),
  /** A source that is deleted is a reason to roll. Reloader's `--reload-on-delete`. */
  onDelete: z.boolean().default(false),
  /**
   * What is written besides our marker: nothing, or what Reloader writes under its strategies
   * `annotations` and `env-vars`.
   */
  strategy: z.enum(["marker", "reloader-annotations", "reloader-env-vars"]).default("marker"),
  /**
   * Kinds of workloads that are neither watched nor rolled, as the API names them. Reloader's
   * `--ignored-workload-types`.
   */
  ignoredWorkloadTypes: z
    .array(
      z.enum([
        "deployments",
        "statefulsets",
        "daemonsets",
        "cronjobs",
        "jobs",
        "rollouts",
        "deploymentconfigs",
      ]),
    )
    .default([]),
  /** Other names for Reloader's annotations. */
  annotations: z
    .partialRecord(
      z.enum(ANNOTATION_KEYS),
      z.string().regex(ANNOTATION, "must be the name of an annotation, like example.com/auto"),
    )
    .default({}),
  /** Namespaces whose sources workloads of other namespaces may name as `namespace/name`. */
  sharedNamespaces: z.array(Namespace).max(100).default([]),
  /** An image pull secret counts as used. */
  imagePullSecrets: z.boolean().default(false),
});
export type Reload = z.infer<typeof Reload>;
