// What is built from the Go modules in third_party/go/: the package, the name and the stamps of
// each program.
import { DOCKER_BUILDX, DOCKER_COMPOSE, HELM, HELM_4, KUBERNETES } from "./versions.mjs";

/**
 * Package of each program, the name that `go build` gives it if it differs, and its module if it is
 * not `servers`.
 */
const PACKAGES = {
  "nats-server": { path: "github.com/nats-io/nats-server/v2" },
  etcd: { path: "go.etcd.io/etcd/server/v3", builtAs: "server" },
  "kube-apiserver": { path: "k8s.io/kubernetes/cmd/kube-apiserver" },
  "kube-controller-manager": { path: "k8s.io/kubernetes/cmd/kube-controller-manager" },
  "kube-scheduler": { path: "k8s.io/kubernetes/cmd/kube-scheduler" },
  kwok: { path: "sigs.k8s.io/kwok/cmd/kwok" },
  kubectl: { path: "k8s.io/kubernetes/cmd/kubectl", module: /** @type {const} */ ("kubectl") },
  helm: { path: "helm.sh/helm/v3/cmd/helm", module: /** @type {const} */ ("helm") },
  helm4: {
    path: "helm.sh/helm/v4/cmd/helm",
    builtAs: "helm",
    module: /** @type {const} */ ("helm4"),
  },
  compose: {
    path: "rollcast.dev/third_party/go/compose",
    module: /** @type {const} */ ("compose"),
  },
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
  "rollouts-controller": {
    path: "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
    module: /** @type {const} */ ("argo-rollouts"),
  },
};
/**
 * In build order. What shares code with the servers comes after them, when most of it is compiled.
 */
export const MODULES = /** @type {const} */ ([
  "servers",
  "kubectl",
  "helm",
  "helm4",
  "compose",
  "docker",
  "argo-rollouts",
]);

/**
 * @param {string} name
 * @returns {{path: string, builtAs?: string, module?: import("./cache.mjs").GoModule}}
 */
export function packageOf(name) {
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
 * Variables that are set at build time. Without them clients cannot read the server's version, and
 * Helm assumes an ancient cluster.
 */
export function stamps() {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(KUBERNETES) ?? [];
  const helm = "helm.sh/helm/v3";
  return {
    "github.com/docker/compose/v2/internal.Version": DOCKER_COMPOSE,
    "github.com/docker/buildx/version.Version": DOCKER_BUILDX,
    "k8s.io/component-base/version.gitVersion": KUBERNETES,
    [`${helm}/internal/version.version`]: HELM,
    "helm.sh/helm/v4/internal/version.version": HELM_4,
    [`${helm}/pkg/chartutil.k8sVersionMajor`]: major,
    [`${helm}/pkg/chartutil.k8sVersionMinor`]: minor,
    [`${helm}/pkg/lint/rules.k8sVersionMajor`]: major,
    [`${helm}/pkg/lint/rules.k8sVersionMinor`]: minor,
  };
}
