import { ConfigError } from "@rollcast/shared/errors";
import { dig } from "./object.ts";

/** A kubeconfig as it was read: what its YAML says, or undefined where there is no such file. */
export type KubeconfigFile = { readonly path: string; readonly content: unknown };

/** A cluster, user or context by its name, and the file that says what it is. */
export type KubeconfigEntry = {
  readonly name: string;
  readonly file: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** What a context names. It may do without a user. */
export type KubeconfigTarget = {
  readonly context: string;
  readonly cluster: KubeconfigEntry & { readonly server: string };
  readonly user: KubeconfigEntry | undefined;
};

type Entries = ReadonlyMap<string, KubeconfigEntry>;
const KINDS = { clusters: "cluster", contexts: "context", users: "user" } as const;

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The entries of a list by name. Of several files, the first that has a name says what it is. */
function entriesOf(files: readonly KubeconfigFile[], list: keyof typeof KINDS): Entries {
  const entries = new Map<string, KubeconfigEntry>();
  for (const { path, content } of files) {
    const listed = dig(content, list);
    for (const item of Array.isArray(listed) ? listed : []) {
      const name = dig(item, "name");
      const fields = dig(item, KINDS[list]);
      if (typeof name !== "string" || entries.has(name)) continue;
      entries.set(name, { name, file: path, fields: isMapping(fields) ? fields : {} });
    }
  }
  return entries;
}

/** The text at `key`, where there is one. */
export function textAt({ fields }: KubeconfigEntry, key: string): string | undefined {
  const value = fields[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** `the kubeconfig /a`, `the kubeconfigs /a, /b`. */
export function titleOf(paths: readonly string[]): string {
  return `the kubeconfig${paths.length === 1 ? "" : "s"} ${paths.join(", ")}`;
}

const listNames = (entries: Entries) => `it has ${[...entries.keys()].join(", ") || "none"}`;

/** What is wrong with a cluster's address, which is not quoted: it may hold credentials. */
function serverFault(cluster: KubeconfigEntry): string | undefined {
  const where = `cluster "${cluster.name}" of the kubeconfig ${cluster.file}`;
  const server = textAt(cluster, "server");
  if (server === undefined) return `${where} has no server`;
  const protocol = URL.parse(server)?.protocol;
  if (protocol === "https:" || protocol === "http:") return undefined;
  return `the server of ${where} is no URL: it must be like https://host:6443`;
}

function contextOf(files: readonly KubeconfigFile[], wanted: string | undefined): KubeconfigEntry {
  const title = titleOf(files.map(({ path }) => path));
  const contexts = entriesOf(files, "contexts");
  const current = files.map(({ content }) => dig(content, "current-context")).find(Boolean);
  const name = wanted ?? current;
  if (typeof name !== "string") {
    throw new ConfigError(
      `${title} has no current-context: ${listNames(contexts)}; kubectl config use-context NAME chooses one`,
    );
  }
  const context = contexts.get(name);
  if (context !== undefined) return context;
  throw new ConfigError(`${title} has no context "${name}": ${listNames(contexts)}`);
}

/**
 * The cluster and the user of the context with this name, else of the current one, by kubectl's
 * rules, also for several files:
 * https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files.
 * Throws {@link ConfigError} that says what is missing.
 */
export function selectTarget(all: readonly KubeconfigFile[], wanted?: string): KubeconfigTarget {
  const files = all.filter(({ content }) => content !== undefined);
  const context = contextOf(files, wanted);
  const faults: string[] = [];
  const find = (list: "clusters" | "users"): KubeconfigEntry | undefined => {
    const entries = entriesOf(files, list);
    const name = textAt(context, KINDS[list]);
    const entry = entries.get(name ?? "");
    const where = `context "${context.name}" of the kubeconfig ${context.file}`;
    if (name !== undefined && entry === undefined) {
      const names = listNames(entries);
      faults.push(`${where} names the ${KINDS[list]} "${name}", which is not there: ${names}`);
    } else if (entry === undefined && list === "clusters") faults.push(`${where} names no cluster`);
    return entry;
  };
  const [cluster, user] = [find("clusters"), find("users")];
  const fault = cluster === undefined ? undefined : serverFault(cluster);
  if (fault !== undefined) faults.push(fault);
  if (cluster === undefined || faults.length > 0) throw new ConfigError(faults.join("\n"));
  const server = textAt(cluster, "server") ?? "";
  return { context: context.name, cluster: { ...cluster, server }, user };
}
