// Which container engine the tests of containers use, and what it lacks. Pure.
import { ENGINE_PACKAGES, PLUGINS } from "./engine-facts.mjs";

/**
 * @typedef {object} EnginePlan
 * @property {"own" | "host"} engine One that this command starts and ends, or the one that is here.
 * @property {readonly string[]} packages Packages of Debian to install.
 */

const INSTALL = "https://docs.docker.com/engine/install/";
const DEBIAN = "root on Debian 12 or 13 with apt-get";

/**
 * @param {import("./engine-facts.mjs").EngineFacts} facts
 * @param {boolean} apt Debian's packages can be installed.
 * @returns {{plan: EnginePlan | undefined, missing: readonly string[]}} `missing`: what has to be there and is not
 */
export function planEngine(facts, apt) {
  const { choice } = facts;
  if (choice !== undefined && choice !== "own" && choice !== "host") {
    return { plan: undefined, missing: ["ROLLCAST_CONTAINERS_ENGINE that says own or host"] };
  }
  const packages = apt && facts.root ? packagesOf(facts) : undefined;
  // Two engines on one machine remove each other's firewall rules, so none is started beside a
  // running one unless the user asks for it.
  const own = choice === undefined ? packages !== undefined && !facts.answers : choice === "own";
  if (own) {
    return packages === undefined
      ? { plan: undefined, missing: [`${DEBIAN}, for an engine of its own`] }
      : { plan: { engine: "own", packages }, missing: [] };
  }
  if (!facts.answers) {
    const instead = choice === "host" ? "" : `, or ${DEBIAN}, where this command brings one`;
    return { plan: undefined, missing: [`a Docker engine that answers${instead}: ${INSTALL}`] };
  }
  const missing = PLUGINS.filter((name) => !facts.plugins.includes(name)).map(
    (name) => `the plugin of the command docker that is called ${name}: ${INSTALL}`,
  );
  return { plan: { engine: "host", packages: [] }, missing };
}

/**
 * The Debian packages that are not installed yet; undefined if this is no supported Debian.
 * @param {import("./engine-facts.mjs").EngineFacts} facts
 */
function packagesOf({ debian, commands }) {
  if (debian === undefined || !(debian in ENGINE_PACKAGES)) return undefined;
  /** @type {Readonly<Record<string, readonly string[]>>} */
  const packages = ENGINE_PACKAGES[/** @type {keyof typeof ENGINE_PACKAGES} */ (debian)];
  return Object.entries(packages)
    .filter(([, names]) => names.some((name) => !commands.includes(name)))
    .map(([name]) => name);
}
