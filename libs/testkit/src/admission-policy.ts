import type { Api } from "./test-api.ts";
import { paths } from "./objects.ts";

const GROUP = "admissionregistration.k8s.io";

export type AdmissionPolicy = {
  readonly kind: "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy";
  readonly name: string;
  /** The namespace whose objects it is for. */
  readonly namespace: string;
  /** What it is for, by group; default Deployments. */
  readonly resources?: { readonly group: string; readonly plural: string };
  readonly operations: readonly ("CREATE" | "UPDATE")[];
  /** What it does, beside what it matches. */
  readonly spec: object;
  readonly binding?: object;
};

/**
 * Makes an admission policy and its binding, until disposal, which may be repeated. It takes a
 * moment to be in force.
 */
export async function addPolicy(api: Api, policy: AdmissionPolicy): Promise<AsyncDisposable> {
  const { kind, name, namespace, operations, spec, binding } = policy;
  const { group = "apps", plural: resource = "deployments" } = policy.resources ?? {};
  const apiVersion = `${GROUP}/v1`;
  const plural = kind === "ValidatingAdmissionPolicy" ? "validating" : "mutating";
  const policies = `/apis/${apiVersion}/${plural}admissionpolicies`;
  const bindings = `/apis/${apiVersion}/${plural}admissionpolicybindings`;
  const resourceRules = [
    { apiGroups: [group], apiVersions: ["v1"], operations, resources: [resource] },
  ];
  const matchConstraints = {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    resourceRules,
  };
  await api.create(policies, {
    apiVersion,
    kind,
    metadata: { name },
    spec: { failurePolicy: "Fail", matchConstraints, ...spec },
  });
  await api.create(bindings, {
    apiVersion,
    kind: `${kind}Binding`,
    metadata: { name },
    spec: { policyName: name, ...binding },
  });
  const undo = new AsyncDisposableStack();
  undo.defer(async () => void (await api.remove(`${policies}/${name}`)));
  undo.defer(async () => void (await api.remove(`${bindings}/${name}`)));
  return undo;
}

/** What a Deployment's template would be with these annotations: an edit that is only tried. */
export async function tryAnnotations<T>(
  api: Api,
  namespace: string,
  deployment: string,
  annotations: Readonly<Record<string, string>>,
): Promise<T> {
  return api.call<T>({
    method: "PATCH",
    path: `${paths.deployment(namespace, deployment)}?dryRun=All`,
    body: { spec: { template: { metadata: { annotations } } } },
    contentType: "application/merge-patch+json",
  });
}
