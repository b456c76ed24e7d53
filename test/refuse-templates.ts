import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import type { Stack } from "./stack.ts";

const ROOT = "/apis/admissionregistration.k8s.io/v1";
const POLICIES = `${ROOT}/validatingadmissionpolicies`;
const BINDINGS = `${ROOT}/validatingadmissionpolicybindings`;
export const REFUSAL = "templates are frozen by the platform team";

function policyOf(namespace: string, name: string) {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        resourceRules: [
          {
            apiGroups: ["apps"],
            apiVersions: ["v1"],
            operations: ["UPDATE"],
            resources: ["deployments"],
          },
        ],
      },
      validations: [
        { expression: "object.spec.template == oldObject.spec.template", message: REFUSAL },
      ],
    },
  };
}

/**
 * Has the API server refuse every edit of a Deployment's template in the stack's namespace, until
 * disposal. `probe` is one of them.
 */
export async function refuseTemplates(stack: Pick<Stack, "api" | "namespace">, probe: string) {
  const { api, namespace } = stack;
  const name = `refuse-${namespace}`;
  await api.create(POLICIES, policyOf(namespace, name));
  await api.create(BINDINGS, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, validationActions: ["Deny"] },
  });
  const tried = () =>
    api.call({
      method: "PATCH",
      path: `${paths.deployment(namespace, probe)}?dryRun=All`,
      body: { spec: { template: { metadata: { annotations: { probe: "x" } } } } },
      contentType: "application/merge-patch+json",
    });
  const refuses = async () =>
    tried().then(
      () => false,
      (err: unknown) => String(err).includes(REFUSAL),
    );
  // A policy takes a moment to be in force, and to be out of it.
  await waitFor(refuses, { message: "the policy to be enforced" });
  return {
    async [Symbol.asyncDispose]() {
      await api.remove(`${BINDINGS}/${name}`);
      await api.remove(`${POLICIES}/${name}`);
      await waitFor(async () => !(await refuses()), { message: "the policy to be gone" });
    },
  };
}
