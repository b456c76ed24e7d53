import { addPolicy, tryAnnotations } from "@rollcast/testkit/admission-policy";
import { waitFor } from "@rollcast/testkit/wait";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario, AlertWorld } from "../world/alert-scenario.ts";
import { deploy } from "../world/deploy.ts";

const UNAVAILABLE = /\/deployments\/unavailable/;
const MESSAGE = "nobody may roll this workload";

/** Has an admission policy deny each change of a Deployment's pod template, until disposal. */
export async function denyPatches(
  { harness: { api, namespace } }: AlertWorld,
  name: string,
): Promise<AsyncDisposable> {
  const policy = await addPolicy(api, {
    kind: "ValidatingAdmissionPolicy",
    name: `deny-${name}-${namespace}`,
    namespace,
    operations: ["UPDATE"],
    spec: {
      matchConditions: [{ name: "named", expression: `object.metadata.name == '${name}'` }],
      validations: [
        { expression: "object.spec.template == oldObject.spec.template", message: MESSAGE },
      ],
    },
    binding: { validationActions: ["Deny"] },
  });
  const isDenied = () =>
    tryAnnotations(api, namespace, name, { try: "1" }).then(
      () => false,
      (err: unknown) => String(err).includes(MESSAGE),
    );
  await waitFor(isDenied, { message: "the policy to be in force", timeout: 60_000, every: 500 });
  return policy;
}

/** The API server says no, or has no answer, to one workload each. */
export const refused: AlertScenario = {
  name: "refused",
  about: "an admission policy refuses the patches of one workload; those of another get a 503",
  minutes: 46,
  pods: { watcher: 1, restarter: 2, notifier: 1 },
  config: () => ({}),
  async prepare(world) {
    await deploy(world, "refused");
    await deploy(world, "unavailable");
  },
  async play(world) {
    const { proxy } = world.harness;
    await world.at(2);
    const policy = await denyPatches(world, "refused");
    proxy.rules([{ method: "PATCH", path: UNAVAILABLE, fault: { do: "answer", status: 503 } }]);
    await setSource(world, "refused", "1");
    await setSource(world, "unavailable", "1");
    world.act(
      "patches-fail",
      "a policy denies one workload, the API server answers 503 to another",
    );
    await world.at(38);
    await policy[Symbol.asyncDispose]();
    proxy.rules([]);
    await setSource(world, "refused", "2");
    await setSource(world, "unavailable", "2");
    world.act("mended", "the policy is gone, patches are answered; both sources change again");
  },
};
