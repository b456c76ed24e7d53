import { EXIT, CliError } from "./cli-error.ts";

/** Kinds of workloads and sources with the names that kubectl accepts. */
const KINDS: readonly (readonly [string, ...string[]])[] = [
  ["Deployment", "deployment", "deployments", "deploy"],
  ["StatefulSet", "statefulset", "statefulsets", "sts"],
  ["DaemonSet", "daemonset", "daemonsets", "ds"],
  ["CronJob", "cronjob", "cronjobs", "cj"],
  ["Job", "job", "jobs"],
  ["Rollout", "rollout", "rollouts", "ro"],
  ["DeploymentConfig", "deploymentconfig", "deploymentconfigs", "dc"],
  ["ConfigMap", "configmap", "configmaps", "cm"],
  ["Secret", "secret", "secrets"],
  ["SecretProviderClass", "secretproviderclass", "secretproviderclasses"],
];
const SOURCES = new Set(["ConfigMap", "Secret", "SecretProviderClass"]);

export type Ref = { readonly kind: string; readonly namespace: string; readonly name: string };

function parse(text: string, namespace: string, wants: "workload" | "source"): Ref {
  const [kindText = "", name = "", ...more] = text.split("/");
  const example = wants === "workload" ? "deploy/web" : "configmap/app-cfg";
  if (name === "" || more.length > 0) {
    throw new CliError(EXIT.usage, `"${text}" names no ${wants}`, `write it like ${example}`);
  }
  const kind = KINDS.find((names) => names.includes(kindText.toLowerCase()))?.[0];
  if (kind === undefined || SOURCES.has(kind) !== (wants === "source")) {
    const kinds = KINDS.map(([first]) => first).filter(
      (candidate) => SOURCES.has(candidate) === (wants === "source"),
    );
    const hint = `known kinds: ${kinds.join(", ")}`;
    throw new CliError(EXIT.usage, `"${kindText}" is no kind of ${wants}`, hint);
  }
  return { kind, namespace, name };
}

/** `deploy/web` in a namespace. */
export function parseWorkload(text: string, namespace: string): Ref {
  return parse(text, namespace, "workload");
}

/** `configmap/app-cfg` in a namespace. */
export function parseSource(text: string, namespace: string): Ref {
  return parse(text, namespace, "source");
}

/** The reference as people write it. */
export function refText({ kind, namespace, name }: Ref): string {
  return `${namespace}/${kind.toLowerCase()}/${name}`;
}
