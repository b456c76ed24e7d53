import type { AnyObject } from "./test-api.ts";
import { NEVER_READY } from "./kwok.ts";
import { deployment } from "./deployment.ts";
import type { DeploymentShape } from "./deployment.ts";

/**
 * Objects of other kinds with the pod template of a Deployment of this shape; they use the
 * ConfigMap `cfg` by default.
 */
function templated(namespace: string, name: string, shape: DeploymentShape) {
  const { metadata, spec } = deployment(namespace, name, {
    uses: [{ as: "envFrom", configMap: "cfg" }],
    ...shape,
  });
  return { metadata, selector: spec.selector, template: spec.template, replicas: spec.replicas };
}

export type Strategy = { readonly updateStrategy?: object };

export function statefulSet(
  namespace: string,
  name: string,
  shape: DeploymentShape & Strategy = {},
): AnyObject {
  const { metadata, selector, template, replicas } = templated(namespace, name, shape);
  const { updateStrategy } = shape;
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata,
    spec: { replicas, serviceName: name, selector, template, updateStrategy },
  };
}

export function daemonSet(
  namespace: string,
  name: string,
  shape: DeploymentShape & Strategy = {},
): AnyObject {
  const { metadata, selector, template } = templated(namespace, name, shape);
  const { updateStrategy } = shape;
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata,
    spec: { selector, template, updateStrategy },
  };
}

/** The API path of an object, or of its collection if `name` is omitted. */
export function pathOf(groupVersion: string, namespace: string, plural: string, name?: string) {
  const segment = name === undefined ? "" : `/${name}`;
  return `/apis/${groupVersion}/namespaces/${namespace}/${plural}${segment}`;
}

export type JobShape = DeploymentShape & {
  /** Its pods never become ready, so it runs until its pods are deleted. */
  readonly endless?: boolean;
  /** More fields of its spec. */
  readonly spec?: object;
};

function jobSpec(namespace: string, name: string, shape: JobShape) {
  const podAnnotations: Record<string, string> =
    shape.endless === true ? { [NEVER_READY]: "true" } : {};
  const { template } = templated(namespace, name, {
    ...shape,
    podAnnotations: { ...shape.podAnnotations, ...podAnnotations },
  });
  return {
    ...shape.spec,
    template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } },
  };
}

export function job(namespace: string, name: string, shape: JobShape = {}): AnyObject {
  const { metadata } = templated(namespace, name, shape);
  return { apiVersion: "batch/v1", kind: "Job", metadata, spec: jobSpec(namespace, name, shape) };
}

/** A CronJob that is never due by itself. `cron` adds to its spec. */
export function cronJob(
  namespace: string,
  name: string,
  shape: JobShape & { readonly cron?: object } = {},
): AnyObject {
  const { metadata } = templated(namespace, name, shape);
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata,
    spec: {
      schedule: "0 0 29 2 *",
      ...shape.cron,
      jobTemplate: { spec: jobSpec(namespace, name, shape) },
    },
  };
}

/**
 * A custom resource with replicas, a selector and a pod template at the same paths as a Deployment.
 */
export function custom(
  apiVersion: string,
  kind: string,
  at: { readonly namespace: string; readonly name: string },
  shape: DeploymentShape & { readonly spec?: object } = {},
): AnyObject {
  const { metadata, selector, template, replicas } = templated(at.namespace, at.name, shape);
  return { apiVersion, kind, metadata, spec: { replicas, selector, template, ...shape.spec } };
}
