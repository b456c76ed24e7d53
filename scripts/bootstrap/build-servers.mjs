// Builds the real servers, and for the tests Helm, the loader of compose files and the container
// tools, once, from the Go modules in third_party/go/ into the user's cache folder.
import { mkdir, rename, rm } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { builtDir, cacheDir } from "./cache.mjs";
import { ARGO_CONTROLLER } from "./facts.mjs";
import { MODULES, moduleOf, packageOf, stamps } from "./go-packages.mjs";
import { runQuietly } from "./run-command.mjs";
import { GO_IMAGE, KUBERNETES, buildEstimate } from "./versions.mjs";

const GO = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "third_party", "go");
/** Measured, in core minutes. */
const MINUTES = { kubernetes: 12, nats: 0, plugins: 7, argo: 12 };

/**
 * Describes the build in a line of progress.
 * @param {readonly string[]} names
 */
function describe(names) {
  const own = names.filter((name) => moduleOf(name) === "servers");
  const kubernetes = own.some((name) => name !== "nats-server");
  const plugins = names.some((name) => moduleOf(name) === "docker");
  const argo = names.includes(ARGO_CONTROLLER);
  if (!kubernetes && !plugins && !argo) {
    return own.length > 0
      ? "building nats-server from source, once, about a minute"
      : "building tools for the tests from source, once, some minutes";
  }
  const parts = [
    { is: kubernetes, what: `a local Kubernetes ${KUBERNETES}`, minutes: MINUTES.kubernetes },
    { is: own.includes("nats-server"), what: "nats-server", minutes: MINUTES.nats },
    { is: plugins, what: "Docker's compose and buildx", minutes: MINUTES.plugins },
    { is: argo, what: "Argo Rollouts' controller", minutes: MINUTES.argo },
  ].filter(({ is }) => is);
  const minutes = parts.reduce((sum, part) => sum + part.minutes, 0);
  const text = parts.map(({ what }) => what).join(" and ");
  return `building ${text} from source, once, ${buildEstimate(minutes, cpus().length)}`;
}

/**
 * Builds servers into the cache.
 * @param {import("./toolchain.mjs").Context} context
 * @param {readonly string[]} names
 * @param {"go" | "container"} compiler
 */
export async function buildServers(context, names, compiler) {
  const since = Date.now();
  const build = async () => {
    for (const module of MODULES) {
      const own = names.filter((name) => moduleOf(name) === module);
      if (own.length > 0) await buildModule(context, module, own, compiler);
    }
  };
  await context.progress.live(describe(names), build());
  context.progress.done(`built ${names.join(", ")}`, since);
}

/**
 * @param {import("./toolchain.mjs").Context} context
 * @param {import("./cache.mjs").GoModule} module
 * @param {readonly string[]} names
 * @param {"go" | "container"} compiler
 */
async function buildModule(context, module, names, compiler) {
  const dir = builtDir(module, context.env);
  const fresh = `${dir}.tmp-${process.pid}`;
  await mkdir(fresh, { recursive: true });
  try {
    const packages = names.map((name) => packageOf(name).path);
    const build = compiler === "go" ? withGo : withContainer;
    await build(context, { source: join(GO, module), out: fresh }, packages);
    await mkdir(dir, { recursive: true });
    for (const name of names) {
      await rename(join(fresh, packageOf(name).builtAs ?? name), join(dir, name));
    }
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** @typedef {{source: string, out: string}} Folders */

/**
 * @param {string} out
 * @param {readonly string[]} packages
 */
function buildArgs(out, packages) {
  const values = Object.entries(stamps()).map(([name, value]) => `-X ${name}=${value}`);
  const flags = ["-s", "-w", ...values].join(" ");
  return ["build", "-trimpath", "-ldflags", flags, "-o", `${out}/`, ...packages];
}

/**
 * @param {import("./toolchain.mjs").Context} context
 * @param {Folders} folders
 * @param {readonly string[]} packages
 */
function withGo({ env, signal }, { source, out }, packages) {
  return runQuietly("go", buildArgs(out, packages), {
    cwd: source,
    env: { ...env, CGO_ENABLED: "0", GOWORK: "off" },
    signal,
  });
}

/**
 * Go's compiler in a container cross-compiles binaries for this machine.
 * @param {import("./toolchain.mjs").Context} context
 * @param {Folders} folders
 * @param {readonly string[]} packages
 */
async function withContainer({ env, signal }, { source, out }, packages) {
  const cache = join(cacheDir(env), "go");
  await mkdir(cache, { recursive: true });
  const os = process.platform;
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const variables = {
    CGO_ENABLED: "0",
    GOOS: os,
    GOARCH: arch,
    GOCACHE: "/cache/build",
    GOMODCACHE: "/cache/mod",
    HOME: "/cache",
  };
  const user =
    process.getuid === undefined ? [] : ["--user", `${process.getuid()}:${process.getgid?.()}`];
  const mounts = ["-v", `${source}:/src:ro`, "-v", `${out}:/out`, "-v", `${cache}:/cache`];
  const values = Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  await runQuietly(
    "docker",
    [
      "run",
      "--rm",
      "--init",
      ...user,
      ...mounts,
      ...values,
      "-w",
      "/src",
      GO_IMAGE,
      "go",
      ...buildArgs("/out", packages),
    ],
    { env, signal },
  );
}
