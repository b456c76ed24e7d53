// Real servers, and for the tests Helm, the loader of compose files and the tools of containers, built once from the Go modules in tools/ into the user's cache folder.
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { builtDir, cacheDir } from "./cache.mjs";
import { runQuietly } from "./run-command.mjs";
import {
  DOCKER_BUILDX,
  DOCKER_COMPOSE,
  GO_IMAGE,
  HELM,
  KUBERNETES,
  buildEstimate,
} from "./versions.mjs";

const TOOLS = dirname(fileURLToPath(import.meta.url));
/** Measured, in minutes of one core. */
const KUBERNETES_MINUTES = 10;
const PLUGINS_MINUTES = 7;

/** Package of each program, the name that `go build` gives it where that is another, and its module where that is not `servers`. */
const PACKAGES = {
  "nats-server": { path: "github.com/nats-io/nats-server/v2" },
  etcd: { path: "go.etcd.io/etcd/server/v3", builtAs: "server" },
  "kube-apiserver": { path: "k8s.io/kubernetes/cmd/kube-apiserver" },
  "kube-controller-manager": { path: "k8s.io/kubernetes/cmd/kube-controller-manager" },
  "kube-scheduler": { path: "k8s.io/kubernetes/cmd/kube-scheduler" },
  kwok: { path: "sigs.k8s.io/kwok/cmd/kwok" },
  kubectl: { path: "k8s.io/kubernetes/cmd/kubectl", module: /** @type {const} */ ("kubectl") },
  helm: { path: "helm.sh/helm/v3/cmd/helm", module: /** @type {const} */ ("helm") },
  compose: { path: "rollcast.dev/tools/compose", module: /** @type {const} */ ("compose") },
  "docker-compose": {
    path: "github.com/docker/compose/v2/cmd",
    builtAs: "cmd",
    module: /** @type {const} */ ("docker"),
  },
  "docker-buildx": {
    path: "github.com/docker/buildx/cmd/buildx",
    builtAs: "buildx",
    module: /** @type {const} */ ("docker"),
  },
};
/** In the order of their building. What shares code with the servers comes after them: by then most of it is compiled. */
const MODULES = /** @type {const} */ (["servers", "kubectl", "helm", "compose", "docker"]);

/**
 * @param {string} name
 * @returns {{path: string, builtAs?: string, module?: import("./cache.mjs").GoModule}}
 */
function packageOf(name) {
  return PACKAGES[/** @type {ServerName} */ (name)];
}

/**
 * The Go module of a server or tool.
 * @param {string} name
 */
export function moduleOf(name) {
  return packageOf(name).module ?? "servers";
}

/** @typedef {keyof typeof PACKAGES} ServerName */

/**
 * What the build is called in a line of progress.
 * @param {readonly string[]} names
 */
function describe(names) {
  const own = names.filter((name) => moduleOf(name) === "servers");
  const kubernetes = own.some((name) => name !== "nats-server");
  const plugins = names.some((name) => moduleOf(name) === "docker");
  if (!kubernetes && !plugins) {
    return own.length > 0
      ? "building nats-server from source, once, about a minute"
      : "building tools for the tests from source, once, a minute";
  }
  const what = [
    ...(kubernetes ? [`a local Kubernetes ${KUBERNETES}`] : []),
    ...(own.includes("nats-server") ? ["nats-server"] : []),
    ...(plugins ? ["Docker's compose and buildx"] : []),
  ];
  const minutes = (kubernetes ? KUBERNETES_MINUTES : 0) + (plugins ? PLUGINS_MINUTES : 0);
  return `building ${what.join(" and ")} from source, once, ${buildEstimate(minutes, cpus().length)}`;
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
    await build(context, { source: join(TOOLS, module), out: fresh }, packages);
    await mkdir(dir, { recursive: true });
    for (const name of names) {
      await rename(join(fresh, packageOf(name).builtAs ?? name), join(dir, name));
    }
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Without the stamps clients cannot read the server's version, and Helm takes the cluster for an ancient one. */
function stamps() {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(KUBERNETES) ?? [];
  const helm = "helm.sh/helm/v3";
  return {
    "github.com/docker/compose/v2/internal.Version": DOCKER_COMPOSE,
    "github.com/docker/buildx/version.Version": DOCKER_BUILDX,
    "k8s.io/component-base/version.gitVersion": KUBERNETES,
    [`${helm}/internal/version.version`]: HELM,
    [`${helm}/pkg/chartutil.k8sVersionMajor`]: major,
    [`${helm}/pkg/chartutil.k8sVersionMinor`]: minor,
    [`${helm}/pkg/lint/rules.k8sVersionMajor`]: major,
    [`${helm}/pkg/lint/rules.k8sVersionMinor`]: minor,
  };
}

/** @typedef {{source: string, out: string}} Folders */

/**
 * @param {string} out
 * @param {readonly string[]} packages
 */
function buildArgs(out, packages) {
  const told = Object.entries(stamps()).map(([name, value]) => `-X ${name}=${value}`);
  const flags = ["-s", "-w", ...told].join(" ");
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
 * Go's compiler in a container makes binaries for this machine, whatever it is.
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
  const told = Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  await runQuietly(
    "docker",
    [
      "run",
      "--rm",
      "--init",
      ...user,
      ...mounts,
      ...told,
      "-w",
      "/src",
      GO_IMAGE,
      "go",
      ...buildArgs("/out", packages),
    ],
    { env, signal },
  );
}

/**
 * Puts links to the servers, wherever each lies, into one folder, and returns it.
 * @param {import("./toolchain.mjs").Context} context
 * @param {import("./plan.mjs").Plan["servers"]} servers
 * @param {string | undefined} natsServer path of the one on PATH
 * @returns {Promise<string>}
 */
export async function linkServers({ root, env }, servers, natsServer) {
  const dir = linkDir(root);
  for (const [name, source] of Object.entries(servers)) {
    const dirOf =
      source === "cache" ? builtDir(moduleOf(name), env) : (env.KUBEBUILDER_ASSETS ?? "");
    const target = source === "path" ? (natsServer ?? "") : join(dirOf, name);
    await link(target, join(dir, name));
  }
  return dir;
}

/**
 * The folder in this checkout in which everything that runs is found.
 * @param {string} root
 */
export function linkDir(root) {
  return join(root, ".rollcast", "servers");
}

/**
 * Makes a link, or renews it in one step: another run may be starting what it leads to.
 * @param {string} target
 * @param {string} file
 */
export async function link(target, file) {
  const fresh = `${file}.tmp-${process.pid}`;
  await mkdir(dirname(file), { recursive: true });
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, file);
}
