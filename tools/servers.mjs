// Real servers, built once from the Go module in tools/servers into the user's cache folder.
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cacheDir, serversDir } from "./cache.mjs";
import { runQuietly } from "./run-command.mjs";
import { GO_IMAGE, KUBERNETES, buildEstimate } from "./versions.mjs";

const MODULE = join(dirname(fileURLToPath(import.meta.url)), "servers");

/** Package of each server, and the name that `go build` gives it where that is another. */
const PACKAGES = {
  "nats-server": { path: "github.com/nats-io/nats-server/v2" },
  etcd: { path: "go.etcd.io/etcd/server/v3", builtAs: "server" },
  "kube-apiserver": { path: "k8s.io/kubernetes/cmd/kube-apiserver" },
  "kube-controller-manager": { path: "k8s.io/kubernetes/cmd/kube-controller-manager" },
  "kube-scheduler": { path: "k8s.io/kubernetes/cmd/kube-scheduler" },
  kwok: { path: "sigs.k8s.io/kwok/cmd/kwok" },
};

/** @typedef {keyof typeof PACKAGES} ServerName */

/**
 * What the build is called in a line of progress.
 * @param {readonly string[]} names
 */
function describe(names) {
  const kubernetes = names.some((name) => name !== "nats-server");
  if (!kubernetes) return "building nats-server from source, once, about a minute";
  const and = names.includes("nats-server") ? " and nats-server" : "";
  return `building a local Kubernetes ${KUBERNETES}${and} from source, once, ${buildEstimate(cpus().length)}`;
}

/**
 * Builds servers into the cache.
 * @param {import("./toolchain.mjs").Context} context
 * @param {readonly string[]} names
 * @param {"go" | "container"} compiler
 */
export async function buildServers(context, names, compiler) {
  const since = Date.now();
  const dir = serversDir(context.env);
  const fresh = `${dir}.tmp-${process.pid}`;
  await mkdir(fresh, { recursive: true });
  try {
    const wanted = /** @type {ServerName[]} */ (names);
    const packages = wanted.map((name) => PACKAGES[name].path);
    const build = compiler === "go" ? withGo : withContainer;
    await context.progress.live(describe(names), build(context, fresh, packages));
    await mkdir(dir, { recursive: true });
    for (const name of wanted) {
      const { builtAs } = /** @type {{builtAs?: string}} */ (PACKAGES[name]);
      await rename(join(fresh, builtAs ?? name), join(dir, name));
    }
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  context.progress.done(`built ${names.join(", ")}`, since);
}

/**
 * @param {string} out
 * @param {readonly string[]} packages
 */
function buildArgs(out, packages) {
  // Without the stamp clients cannot read the server's version.
  const stamp = `-s -w -X k8s.io/component-base/version.gitVersion=${KUBERNETES}`;
  return ["build", "-trimpath", "-ldflags", stamp, "-o", `${out}/`, ...packages];
}

/**
 * @param {import("./toolchain.mjs").Context} context
 * @param {string} out
 * @param {readonly string[]} packages
 */
function withGo({ env, signal }, out, packages) {
  return runQuietly("go", buildArgs(out, packages), {
    cwd: MODULE,
    env: { ...env, CGO_ENABLED: "0", GOWORK: "off" },
    signal,
  });
}

/**
 * Go's compiler in a container makes binaries for this machine, whatever it is.
 * @param {import("./toolchain.mjs").Context} context
 * @param {string} out
 * @param {readonly string[]} packages
 */
async function withContainer({ env, signal }, out, packages) {
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
  const mounts = ["-v", `${MODULE}:/src:ro`, "-v", `${out}:/out`, "-v", `${cache}:/cache`];
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
  const from = { cache: serversDir(env), assets: env.KUBEBUILDER_ASSETS ?? "" };
  for (const [name, source] of Object.entries(servers)) {
    const target = source === "path" ? (natsServer ?? "") : join(from[source], name);
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
