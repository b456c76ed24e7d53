// What `npm run model` needs: Node alone, and servers only beside real controllers.
import { prepareMachine } from "./prepare-machine.mjs";
import { installDependencies, installToolchain } from "./toolchain.mjs";

const AGAINST = "--against-controllers";
/** Beside it, Argo Rollouts' own controller, whose build takes minutes. */
const ARGO = "--argo";
/** Relative to the repository's root folder. */
export const MODEL_MAIN = "services/restarter/test/model/main.ts";

/**
 * @param {import("./toolchain.mjs").Context} context
 * @param {AbortController} stop
 * @param {readonly string[]} args
 */
export async function prepareModel(context, stop, args) {
  if (args.includes(AGAINST)) {
    const argo = args.includes(ARGO);
    await prepareMachine(context, stop, { command: "test", cluster: false, argo });
    return;
  }
  await installToolchain(context);
  await installDependencies(context);
}
