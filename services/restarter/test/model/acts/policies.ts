import { FIELD_MANAGER } from "@rollcast/kube/patch";
import { MARKER } from "../../../src/model/marker.ts";
import { StatusError } from "../cluster/object-store.ts";
import type { Admission } from "../cluster/object-store.ts";
import type { Draft } from "../cluster/object.ts";
import type { Policy } from "./act.ts";

type Metadata = {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

type Template = { readonly metadata?: Metadata };

const KINDS = new Set(["Deployment", "StatefulSet", "DaemonSet"]);

function withTemplate(object: Draft, change: (metadata: Metadata) => Metadata): Draft {
  const spec = (object.spec ?? {}) as { readonly template?: Template };
  const metadata = change(spec.template?.metadata ?? {});
  return { ...object, spec: { ...spec, template: { ...spec.template, metadata } } };
}

function withoutMarker({ annotations = {}, ...rest }: Metadata): Metadata {
  const { [MARKER]: _, ...others } = annotations;
  return { ...rest, annotations: others };
}

/** Admission hooks by what they do. */
export function admissionOf(policy: Policy): Admission | undefined {
  if (policy === "nothing") return undefined;
  return ({ object, operation, manager, subresource }) => {
    if (!KINDS.has(object.kind) || operation === "DELETE" || subresource !== undefined)
      return object;
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
