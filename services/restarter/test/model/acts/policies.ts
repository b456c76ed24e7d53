import { NEVER_READY } from "@rollcast/testkit/kwok";
import { FIELD_MANAGER } from "@rollcast/kube/patch";
import { MARKER } from "../../../src/model/content.ts";
import { StatusError } from "../cluster/object-store.ts";
import type { Admission } from "../cluster/object-store.ts";
import { isEqual } from "../cluster/object.ts";
import type { Draft } from "../cluster/object.ts";
import type { WorkloadName } from "../world/config.ts";
import type { Policy } from "./act.ts";
import { source, sourceRef } from "./objects.ts";

type Metadata = {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

type Template = { readonly metadata?: Metadata };

const KINDS = new Set(["Deployment", "StatefulSet", "DaemonSet", "Rollout"]);

function withTemplate(object: Draft, change: (metadata: Metadata) => Metadata): Draft {
  const spec = (object.spec ?? {}) as { readonly template?: Template };
  const metadata = change(spec.template?.metadata ?? {});
  return { ...object, spec: { ...spec, template: { ...spec.template, metadata } } };
}

function withoutMarker({ annotations = {}, ...rest }: Metadata): Metadata {
  const { [MARKER]: _, ...others } = annotations;
  return { ...rest, annotations: others };
}

/** Pods that are made while ConfigMap cfg has this content never get ready. */
export function breakingWith(value: number): Admission {
  const { data } = source("cfg", value);
  return ({ object, operation }, store) => {
    if (operation !== "CREATE" || object.kind !== "Pod") return object;
    if (!isEqual(store.get(sourceRef("cfg"))?.data, data)) return object;
    const annotations = { ...object.metadata.annotations, [NEVER_READY]: "true" };
    return { ...object, metadata: { ...object.metadata, annotations } };
  };
}

/** Admission hooks by what they do, with every workload where none is given. */
export function admissionOf(policy: Policy, workload?: WorkloadName): Admission | undefined {
  if (policy === "nothing") return undefined;
  return ({ object, operation, manager, subresource }) => {
    if (!KINDS.has(object.kind) || operation === "DELETE" || subresource !== undefined)
      return object;
    if (workload !== undefined && object.metadata.name !== workload) return object;
    if (policy === "adds a label") {
      return withTemplate(object, (metadata) => ({
        ...metadata,
        labels: { ...metadata.labels, "cost-center": "42" },
      }));
    }
    if (policy === "removes our annotation") return withTemplate(object, withoutMarker);
    if (manager === FIELD_MANAGER) {
      throw new StatusError(
        403,
        "Forbidden",
        'deployments.apps "web" is forbidden: denied by policy',
      );
    }
    return object;
  };
}
