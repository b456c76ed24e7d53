// Which parts of a container engine this machine has. Read-only.
import { readFileSync } from "node:fs";
import process from "node:process";
import { engineHost } from "./cache.mjs";
import { outputOf, which } from "./run-command.mjs";

/**
 * Debian's packages of an engine and its tools, and the commands that show that they are installed;
 * by Debian's release.
 */
export const ENGINE_PACKAGES = /** @type {const} */ ({
  bookworm: {
    "docker.io": ["dockerd", "docker"],
    iptables: ["iptables"],
    iproute2: ["ip"],
  },
  trixie: {
    "docker.io": ["dockerd"],
    "docker-cli": ["docker"],
    iptables: ["iptables"],
    iproute2: ["ip"],
  },
});
/** The plugins of the command docker that the tests use. */
export const PLUGINS = ["compose", "buildx"];

/**
 * @typedef {object} EngineFacts
 * @property {string | undefined} choice What ROLLCAST_CONTAINERS_ENGINE says.
 * @property {boolean} answers A Docker engine answers that is not this command's own.
 * @property {readonly string[]} plugins Which of PLUGINS the command docker has.
 * @property {boolean} root
 * @property {string | undefined} debian The code name of Debian's release.
 * @property {readonly string[]} commands Which commands of ENGINE_PACKAGES are on PATH.
 */

/**
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {Promise<EngineFacts>}
 */
export async function engineFacts(env = process.env) {
  const names = new Set(Object.values(ENGINE_PACKAGES).flatMap((of) => Object.values(of).flat()));
  const commands = [...names].filter((name) => which(name, withSbin(env)) !== undefined);
  const asks = commands.includes("docker") && env.DOCKER_HOST !== engineHost(env);
  const server = asks ? await outputOf("docker", ["info", "--format", "{{.ServerVersion}}"]) : "";
  const answers = server !== undefined && server !== "";
  const versions = await Promise.all(
    PLUGINS.map((name) => (answers ? outputOf("docker", [name, "version"]) : undefined)),
  );
  return {
    choice: env.ROLLCAST_CONTAINERS_ENGINE || undefined,
    answers,
    plugins: PLUGINS.filter((_, i) => versions[i] !== undefined),
    root: process.getuid?.() === 0,
    debian: debianRelease(),
    commands,
  };
}

/**
 * PATH with the sbin folders, which not every shell of root has.
 * @param {Readonly<Record<string, string | undefined>>} env
 */
export function withSbin(env) {
  return { ...env, PATH: `${env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin` };
}

function debianRelease() {
  try {
    const text = readFileSync("/etc/os-release", "utf8");
    if (!/^ID=debian$/m.test(text)) return undefined;
    return /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1];
  } catch {
    return undefined;
  }
}
