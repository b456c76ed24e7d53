import { addPolicy, tryAnnotations } from "@rollcast/testkit/admission-policy";
import type { AdmissionPolicy } from "@rollcast/testkit/admission-policy";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { nameOf } from "./writers.ts";
import type { Effect, Group } from "./writers.ts";

const MARKER = "rollcast.dev/config";
const MARKER_PATH = `/spec/template/metadata/annotations/${MARKER.replace("/", "~1")}`;
const ANNOTATIONS = "object.spec.template.metadata.annotations";
const REFUSAL = "templates are frozen";

/** The Deployment of each policy. */
export const WEB = "web";

type Template = AnyObject;

export type Policy = {
  /** What it does to the template with the next write of whoever, beside Rollcast. */
  readonly effect: Effect;
  /** A further condition, in CEL. */
  readonly when?: string;
  readonly rule: Pick<AdmissionPolicy, "kind" | "spec" | "binding">;
  /** Whether the answer to an edit that adds our marker, or its error, is of the policy. */
  readonly isOf: (answer: Template | Error) => boolean;
};

function mutation(patch: string): Policy["rule"] {
  return {
    kind: "MutatingAdmissionPolicy",
    spec: {
      reinvocationPolicy: "Never",
      mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: patch } }],
    },
  };
}

export const POLICIES = {
  /** Takes our marker off whatever is written. */
  stripping: {
    effect: "strips",
    when: `has(${ANNOTATIONS}) && '${MARKER}' in ${ANNOTATIONS}`,
    rule: mutation(`[JSONPatch{op: "remove", path: "${MARKER_PATH}"}]`),
    isOf: (answer) =>
      !(answer instanceof Error) && answer.metadata.annotations?.[MARKER] === undefined,
  },
  /** Edits the template with whatever is written. */
  labelling: {
    effect: "edits",
    rule: mutation(
      `[JSONPatch{op: "add", path: "/spec/template/metadata/labels/cost-center", value: "42"}]`,
    ),
    isOf: (answer) =>
      !(answer instanceof Error) && answer.metadata.labels?.["cost-center"] === "42",
  },
  /** Refuses every edit of the template. */
  refusing: {
    effect: "keeps",
    rule: {
      kind: "ValidatingAdmissionPolicy",
      spec: {
        validations: [
          { expression: "object.spec.template == oldObject.spec.template", message: REFUSAL },
        ],
      },
      binding: { validationActions: ["Deny"] },
    },
    isOf: (answer) => answer instanceof Error && answer.message.includes(REFUSAL),
  },
} satisfies Readonly<Record<string, Policy>>;

/** Puts a policy in force for a group's Deployment, until disposal. */
export async function enforce({ place, tool }: Group, policy: Policy): Promise<AsyncDisposable> {
  const { api, namespace } = place;
  const name = nameOf(tool, WEB);
  const is = `object.metadata.name == '${name}'`;
  const expression = policy.when === undefined ? is : `${is} && ${policy.when}`;
  const added = await addPolicy(api, {
    ...policy.rule,
    name: `${tool}-${namespace}`,
    namespace,
    operations: ["UPDATE"],
    spec: { ...policy.rule.spec, matchConditions: [{ name: "is", expression }] },
  });
  const annotations = { probe: "x", [MARKER]: "x" };
  const isInForce = async () => {
    const answer = await tryAnnotations<{ spec: { template: Template } }>(
      api,
      namespace,
      name,
      annotations,
    ).then(
      ({ spec }) => spec.template,
      (err: unknown) => (err instanceof Error ? err : new Error(String(err))),
    );
    return policy.isOf(answer);
  };
  // A policy takes a moment to be in force.
  await waitFor(isInForce, { message: `the policy of ${name} to be in force` });
  return added;
}
