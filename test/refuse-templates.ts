import { waitFor } from "@rollcast/testkit/wait";
import { addPolicy, tryAnnotations } from "@rollcast/testkit/admission-policy";
import type { Stack } from "./stack.ts";

export const REFUSAL = "templates are frozen by the platform team";

/**
 * Has the API server refuse every edit of a Deployment's template in the stack's namespace, until
 * disposal. `probe` is one of them.
 */
export async function refuseTemplates(
  stack: Pick<Stack, "api" | "namespace">,
  probe: string,
  message = REFUSAL,
) {
  const { api, namespace } = stack;
  const expression = "object.spec.template == oldObject.spec.template";
  const policy = await addPolicy(api, {
    kind: "ValidatingAdmissionPolicy",
    name: `refuse-${namespace}`,
    namespace,
    operations: ["UPDATE"],
    spec: { validations: [{ expression, message }] },
    binding: { validationActions: ["Deny"] },
  });
  const refuses = async () =>
    tryAnnotations(api, namespace, probe, { probe: "x" }).then(
      () => false,
      (err: unknown) => String(err).includes(message),
    );
  // A policy takes a moment to be in force, and to be out of it.
  await waitFor(refuses, { message: "the policy to be enforced" });
  return {
    async [Symbol.asyncDispose]() {
      await policy[Symbol.asyncDispose]();
      await waitFor(async () => !(await refuses()), { message: "the policy to be gone" });
    },
  };
}
