import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { paths } from "@rollcast/testkit/objects";

const ROOT = "/apis/admissionregistration.k8s.io/v1";
const POLICIES = `${ROOT}/mutatingadmissionpolicies`;
const BINDINGS = `${ROOT}/mutatingadmissionpolicybindings`;

export type Mutation = {
  /** In CEL, a list of `JSONPatch`. */
  readonly patch: string;
  /** In CEL; holds for every write unless given. */
  readonly when?: string;
  /** A Deployment whose edit shows that the policy is in force. */
  readonly probe: string;
  /**
   * Whether the answer to an edit that adds the annotation `probe` to the template, and our marker,
   * is mutated.
   */
  readonly isMutated: (template: AnyObject) => boolean;
};

/** Has the API server change every Deployment that is written in a namespace, until disposal. */
export async function mutateTemplates(
  { api, namespace }: { readonly api: Api; readonly namespace: string },
  { patch, when, probe, isMutated }: Mutation,
): Promise<AsyncDisposable> {
  const name = `mutate-${namespace}`;
  const apiVersion = "admissionregistration.k8s.io/v1";
  await api.create(POLICIES, {
    apiVersion,
    kind: "MutatingAdmissionPolicy",
    metadata: { name },
    spec: {
      failurePolicy: "Fail",
      reinvocationPolicy: "Never",
      matchConstraints: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        resourceRules: [
          {
            apiGroups: ["apps"],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["deployments"],
          },
        ],
      },
      ...(when === undefined ? {} : { matchConditions: [{ name: "when", expression: when }] }),
      mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: patch } }],
    },
  });
  await api.create(BINDINGS, {
    apiVersion,
    kind: "MutatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name },
  });
  const annotations = { probe: "x", "rollcast.dev/config": "x" };
  const edit = async () => {
    const { spec } = await api.call<{ spec: { template: AnyObject } }>({
      method: "PATCH",
      path: `${paths.deployment(namespace, probe)}?dryRun=All`,
      body: { spec: { template: { metadata: { annotations } } } },
      contentType: "application/merge-patch+json",
    });
    return isMutated(spec.template);
  };
  // A policy takes a moment to be in force.
  await waitFor(edit, { message: "the policy to be in force" });
  return {
    async [Symbol.asyncDispose]() {
      await api.remove(`${BINDINGS}/${name}`);
      await api.remove(`${POLICIES}/${name}`);
    },
  };
}
