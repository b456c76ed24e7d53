// What `npm run model` and `npm run mutants` need: Node alone, unless they are to start servers.
import { prepareMachine } from "./prepare-machine.mjs";
import { installDependencies, installToolchain } from "./toolchain.mjs";

/** Relative to the repository's root folder. */
export const PROGRAMS = /** @type {const} */ ({
  model: "services/restarter/test/model/main.ts",
  mutants: "scripts/mutants/main.ts",
});
/** With its option a program starts servers. */
const WITH_SERVERS = { model: "--against-controllers", mutants: "--integration" };
/** Beside real controllers, Argo Rollouts' own controller, whose build takes minutes. */
const ARGO = "--argo";

/**
 * @param {keyof typeof PROGRAMS} program
 * @param {import("./toolchain.mjs").Context} context
 * @param {AbortController} stop
 * @param {readonly string[]} args
 */
export async function prepareProgram(program, context, stop, args) {
  if (args.includes(WITH_SERVERS[program])) {
    const argo = program === "model" && args.includes(ARGO);
    await prepareMachine(context, stop, { command: "test", cluster: false, argo });
    return;
  }
  await installToolchain(context);
  await installDependencies(context);
}
