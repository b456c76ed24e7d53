import { addPolicy, tryAnnotations } from "@rollcast/testkit/admission-policy";
import type { Cluster } from "@rollcast/testkit/cluster";
import { createApi } from "@rollcast/testkit/test-api";
import { tokenOf } from "@rollcast/testkit/users";
import type { User } from "@rollcast/testkit/users";
import { waitFor } from "@rollcast/testkit/wait";
import { KINDS, LABEL } from "./fleet.ts";

const MARKER = "rollcast.dev/config";
const STAMP = "policy.test/checked";
const ANNOTATIONS = "object.spec.template.metadata.annotations";

function labelled(interference: string): string {
  return `has(object.metadata.labels) && '${LABEL}/${interference}' in object.metadata.labels`;
}

/** Stamps the pod template with what our patch writes: it changes by the same request. */
const STAMPING = `[JSONPatch{
  op: "add",
  path: "/spec/template/metadata/annotations/${STAMP.replace("/", "~1")}",
  value: '${MARKER}' in ${ANNOTATIONS} ? ${ANNOTATIONS}['${MARKER}'] : "none"
}]`;

type Template = { spec: { template: { metadata: { annotations?: Record<string, string> } } } };

/**
 * Has admission change every write of the workloads that are labelled so, and deny Rollcast those
 * of others. Waits until that is in force for the two Deployments.
 */
export async function addPolicies(
  cluster: Pick<Cluster, "api" | "url" | "caFile">,
  namespace: string,
  {
    user,
    mutated,
    denied,
  }: { readonly user: User; readonly mutated: string; readonly denied: string },
): Promise<AsyncDisposable> {
  const { api, url, caFile } = cluster;
  await using adding = new AsyncDisposableStack();
  for (const plural of Object.values(KINDS)) {
    const policy = await addPolicy(api, {
      kind: "MutatingAdmissionPolicy",
      name: `stamp-${plural}-${namespace}`,
      namespace,
      resources: { group: "apps", plural },
      operations: ["CREATE", "UPDATE"],
      spec: {
        reinvocationPolicy: "Never",
        matchConditions: [
          { name: "labelled", expression: `${labelled("mutated")} && has(${ANNOTATIONS})` },
        ],
        mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: STAMPING } }],
      },
    });
    adding.use(policy);
  }
  const denial = {
    expression: `request.userInfo.username != '${user}'`,
    message: "nobody but its owner writes this workload",
  };
  const policy = await addPolicy(api, {
    kind: "ValidatingAdmissionPolicy",
    name: `deny-${namespace}`,
    namespace,
    operations: ["UPDATE"],
    spec: {
      matchConditions: [{ name: "labelled", expression: labelled("denied") }],
      validations: [denial],
    },
    binding: { validationActions: ["Deny"] },
  });
  adding.use(policy);
  await using own = createApi(url, tokenOf(user), caFile);
  await waitFor(
    async () => {
      const { spec } = await tryAnnotations<Template>(api, namespace, mutated, { [MARKER]: "{}" });
      const isDenied = await tryAnnotations(own, namespace, denied, { try: "1" }).then(
        () => false,
        (err: unknown) => String(err).includes(denial.message),
      );
      return isDenied && spec.template.metadata.annotations?.[STAMP] === "{}";
    },
    { message: "the policies to be in force", timeout: 60_000, every: 500 },
  );
  return adding.move();
}
