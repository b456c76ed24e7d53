// Packages of Debian.
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { runQuietly, which } from "./run-command.mjs";

const POLICY = "/usr/sbin/policy-rc.d";
/** Units of docker.io. */
const UNITS = ["docker.service", "docker.socket", "containerd.service"];

/**
 * Installs packages; if that fails, retries with fresh lists.
 * @param {import("./toolchain.mjs").Context} context
 * @param {readonly string[]} packages
 */
export async function aptInstall({ env, signal }, packages) {
  const options = { env: { ...env, DEBIAN_FRONTEND: "noninteractive" }, signal };
  const args = ["install", "-y", "--no-install-recommends", ...packages];
  try {
    await runQuietly("apt-get", args, options);
  } catch {
    await runQuietly("apt-get", ["update"], options);
    await runQuietly("apt-get", args, options);
  }
}

/**
 * Installs the packages of a container engine without its service: the user did not ask for an
 * engine that starts now and at boot.
 * @param {import("./toolchain.mjs").Context} context
 * @param {readonly string[]} packages
 */
export async function installEngine(context, packages) {
  if (packages.length === 0) return;
  const since = Date.now();
  const own = !existsSync(POLICY);
  // Scripts of packages call this before they start a service:
  // https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
  if (own) await writeFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const install = aptInstall(context, packages);
    await context.progress.live(`installing Debian's ${packages.join(", ")} (no service)`, install);
  } finally {
    if (own) await rm(POLICY, { force: true });
  }
  if (packages.includes("docker.io") && which("systemctl", context.env) !== undefined) {
    const { env, signal } = context;
    await runQuietly("systemctl", ["disable", ...UNITS], { env, signal }).catch(() => undefined);
  }
  context.progress.done(`${packages.join(", ")} from Debian's packages`, since);
}
