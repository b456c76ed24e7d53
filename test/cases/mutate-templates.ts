import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { addPolicy, tryAnnotations } from "@rollcast/testkit/admission-policy";

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
  const policy = await addPolicy(api, {
    kind: "MutatingAdmissionPolicy",
    name: `mutate-${namespace}`,
    namespace,
    operations: ["CREATE", "UPDATE"],
    spec: {
      reinvocationPolicy: "Never",
      matchConditions: when === undefined ? undefined : [{ name: "when", expression: when }],
      mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: patch } }],
    },
  });
  const annotations = { probe: "x", "rollcast.dev/config": "x" };
  const edit = async () => {
    const { spec } = await tryAnnotations<{ spec: { template: AnyObject } }>(
      api,
      namespace,
      probe,
      annotations,
    );
    return isMutated(spec.template);
  };
  // A policy takes a moment to be in force.
  await waitFor(edit, { message: "the policy to be in force" });
  return policy;
}
