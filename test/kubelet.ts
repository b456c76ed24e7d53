import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { writeKubeconfig } from "@rollcast/testkit/write-kubeconfig";
import { startProcess } from "@rollcast/testkit/process";
import type { Running } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";

type EnvVar = {
  name: string;
  value?: string;
  valueFrom?: {
    fieldRef?: { fieldPath: string };
    secretKeyRef?: { name: string; key: string };
  };
};
type Items = { key: string; path: string }[];
type Volume = {
  name: string;
  configMap?: { name: string };
  secret?: { secretName: string; items?: Items };
  projected?: {
    sources: { configMap?: { name: string }; secret?: { name: string; items?: Items } }[];
  };
};
export type PodTemplate = {
  spec: {
    serviceAccountName?: string;
    automountServiceAccountToken?: boolean;
    containers: {
      args?: string[];
      env?: EnvVar[];
      volumeMounts?: { name: string; mountPath: string }[];
    }[];
    volumes?: Volume[];
  };
};

export type Node = {
  readonly api: Api;
  readonly url: string;
  readonly caFile: string;
  readonly namespace: string;
  /** Where the pods' volumes are. */
  readonly dir: string;
  /** What names of Services stand for here: `rollcast-nats:4222` -> `127.0.0.1:41234`. */
  readonly hosts: Map<string, string>;
};

/** Makes a volume's files, waiting for what it is made of as a kubelet does. */
async function fillVolume(node: Node, volume: Volume, dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const { configMap, secret, projected } = volume;
  for (const source of projected?.sources ?? []) {
    const { name = "", items = [] } = source.secret ?? {};
    const part = source.secret === undefined ? {} : { secret: { secretName: name, items } };
    const { configMap: map } = source;
    await fillVolume(
      node,
      { name, ...part, ...(map === undefined ? {} : { configMap: map }) },
      dir,
    );
  }
  const path = (plural: string, name: string) =>
    `/api/v1/namespaces/${node.namespace}/${plural}/${name}`;
  const data = async (at: string, decode: (text: string) => string | Buffer) => {
    const object = await waitFor(() => node.api.get<AnyObject>(at), { message: at });
    const entries = Object.entries(object.data as Record<string, string>);
    return new Map(entries.map(([key, text]) => [key, decode(text)]));
  };
  if (configMap !== undefined) {
    const files = await data(path("configmaps", configMap.name), (text) => text);
    for (const [key, text] of files) await writeFile(join(dir, key), text);
  }
  if (secret !== undefined) {
    const files = await data(path("secrets", secret.secretName), (text) =>
      Buffer.from(text, "base64"),
    );
    for (const { key, path: to } of secret.items ?? []) {
      const content = files.get(key);
      if (content === undefined) throw new Error(`${secret.secretName} has no ${key}`);
      await writeFile(join(dir, to), content);
    }
  }
}

async function valueOf(node: Node, name: string, variable: EnvVar): Promise<string> {
  const { value = "", valueFrom } = variable;
  const field = valueFrom?.fieldRef?.fieldPath;
  if (field !== undefined) return field === "metadata.name" ? name : node.namespace;
  const ref = valueFrom?.secretKeyRef;
  if (ref === undefined) return value;
  const at = `/api/v1/namespaces/${node.namespace}/secrets/${ref.name}`;
  const secret = await waitFor(() => node.api.get<AnyObject>(at), { message: at });
  return Buffer.from((secret.data as Record<string, string>)[ref.key] ?? "", "base64").toString();
}

/** A kubeconfig with a token of the pod's own service account, as the kubelet asks for one. */
async function identity(node: Node, template: PodTemplate, dir: string): Promise<object> {
  const { serviceAccountName, automountServiceAccountToken } = template.spec;
  if (serviceAccountName === undefined || automountServiceAccountToken === false) return {};
  const path = `/api/v1/namespaces/${node.namespace}/serviceaccounts/${serviceAccountName}/token`;
  const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
  const { status } = await node.api.create(path, request);
  const { token } = status as { token: string };
  const file = join(dir, "kubeconfig");
  const { url, caFile } = node;
  return { KUBECONFIG: await writeKubeconfig(file, { url, caFile, token }) };
}

export type PodOptions = {
  name: string;
  template: PodTemplate;
  /**
   * What the image starts with the container's arguments; `replace` makes texts fit for this
   * machine.
   */
  command: (
    args: readonly string[],
    mounts: ReadonlyMap<string, string>,
  ) => Promise<readonly [string, ...string[]]>;
  env?: Readonly<Record<string, string>>;
  onLine?: (line: string) => void;
};

/**
 * Runs the one container of a pod as a process: its volumes made of the objects in the API server,
 * its environment resolved, its service account's token asked for. Paths of mounts and names of
 * Services are replaced in arguments, environment and files.
 */
export async function runPod(node: Node, options: PodOptions): Promise<Running> {
  const { name, template } = options;
  const [container] = template.spec.containers;
  const root = join(node.dir, name);
  await mkdir(root, { recursive: true });
  const mounts = new Map<string, string>();
  for (const { name: volumeName, mountPath } of container?.volumeMounts ?? []) {
    const volume = template.spec.volumes?.find((candidate) => candidate.name === volumeName);
    const dir = join(root, volumeName);
    await fillVolume(node, volume ?? { name: volumeName }, dir);
    mounts.set(mountPath, dir);
  }
  const env: Record<string, string> = {};
  for (const variable of container?.env ?? []) {
    env[variable.name] = fit(node, mounts, await valueOf(node, name, variable));
  }
  const args = (container?.args ?? []).map((arg) =>
    fit(node, mounts, arg).replaceAll(/\$\(([A-Z0-9_]+)\)/g, (_all, key: string) => env[key] ?? ""),
  );
  const own = await identity(node, template, root);
  const [program, ...rest] = await options.command(args, mounts);
  return startProcess(program, rest, {
    env: { ...env, ...own, ...options.env },
    onLine: options.onLine,
  });
}

/** `text` with the paths and hosts of the pod replaced by those of this machine. */
export function fit(node: Node, mounts: ReadonlyMap<string, string>, text: string): string {
  const pairs = [...mounts, ...node.hosts].toSorted(([a], [b]) => b.length - a.length);
  return pairs.reduce((done, [from, to]) => done.replaceAll(from, to), text);
}

/** Makes a mounted file fit for this machine. */
export async function fitFile(
  node: Node,
  mounts: ReadonlyMap<string, string>,
  file: string,
): Promise<void> {
  await writeFile(file, fit(node, mounts, await readFile(file, "utf8")));
}
