import { generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serverBinary } from "./binaries.ts";
import { startProcess } from "./process.ts";
import type { Running } from "./process.ts";
import { READY_AGAIN, STAGES } from "./kwok-stages.ts";
import { USERS, tokenOf } from "./users.ts";

/** Ports of one control plane: of etcd on 127.0.0.1, of the API server there too by default. */
export type Ports = { readonly api: number; readonly etcd: number; readonly peer: number };

export type ApiServerOptions = {
  /** Where the API server listens, which is the address in its certificate. */
  readonly address: string;
  readonly auditLog: string | undefined;
};

/** Writes what the servers read at their start. */
export async function writeFiles(
  dir: string,
  { nodesDie = false, audit = "requests" }: { nodesDie?: boolean; audit?: AuditPolicy } = {},
): Promise<void> {
  await mkdir(join(dir, "certs"), { recursive: true });
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  await writeFile(
    join(dir, "sa.key"),
    privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
  );
  await writeFile(
    join(dir, "sa.pub"),
    publicKey.export({ type: "spki", format: "pem" }).toString(),
  );
  const tokens = USERS.map((user) => {
    const groups = user === "admin" ? ',"system:masters"' : "";
    return `${tokenOf(user)},${user},${user}${groups}`;
  });
  await writeFile(join(dir, "tokens.csv"), `${tokens.join("\n")}\n`);
  await writeFile(join(dir, "audit.yaml"), AUDIT_POLICIES[audit]);
  await writeFile(join(dir, "stages.yaml"), nodesDie ? STAGES + READY_AGAIN : STAGES);
}

/**
 * What an audit log has: the metadata of each `requests`, or the `writes` of workloads, their pods
 * and sources, with request and answer.
 */
export type AuditPolicy = "requests" | "writes";

const AUDIT_HEAD = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
`;

const AUDIT_POLICIES: Readonly<Record<AuditPolicy, string>> = {
  requests: `${AUDIT_HEAD}rules: [{ level: Metadata }]
`,
  writes: `${AUDIT_HEAD}rules:
  - level: RequestResponse
    verbs: [create, update, patch, delete]
    resources:
      - group: apps
        resources:
          [deployments, deployments/scale, statefulsets, statefulsets/scale, daemonsets]
      - group: ""
        resources: [configmaps, secrets]
  - level: RequestResponse
    verbs: [delete]
    resources: [{ group: "", resources: [pods] }]
  - level: None
`,
};

/** Flags of an etcd that keeps its data in `dir`. */
export function etcdFlags(dir: string, ports: Ports): string[] {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.peer}`;
  return [
    `--data-dir=${join(dir, "etcd")}`,
    "--unsafe-no-fsync",
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--log-level=error",
  ];
}

export async function startEtcd(dir: string, ports: Ports): Promise<Running> {
  return startProcess(serverBinary("etcd"), etcdFlags(dir, ports));
}

/**
 * Flags of an API server, but for whom it lets in and where it listens; its keys for service
 * accounts are `sa.pub` and `sa.key` in `dir`.
 */
export function apiServerFlags(dir: string, ports: Ports): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    `--secure-port=${ports.api}`,
    `--service-account-key-file=${join(dir, "sa.pub")}`,
    `--service-account-signing-key-file=${join(dir, "sa.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    "--authorization-mode=RBAC",
    "--disable-admission-plugins=ServiceAccount",
    "--service-cluster-ip-range=10.0.0.0/24",
    "--endpoint-reconciler-type=none",
    "--max-requests-inflight=1600",
    "--max-mutating-requests-inflight=800",
  ];
}

export async function startApiServer(
  dir: string,
  ports: Ports,
  { address, auditLog }: ApiServerOptions,
): Promise<Running> {
  const audit = [
    `--audit-policy-file=${join(dir, "audit.yaml")}`,
    `--audit-log-path=${auditLog ?? ""}`,
  ];
  return startProcess(serverBinary("kube-apiserver"), [
    ...apiServerFlags(dir, ports),
    `--bind-address=${address}`,
    `--cert-dir=${join(dir, "certs")}`,
    `--token-auth-file=${join(dir, "tokens.csv")}`,
    ...(auditLog === undefined ? [] : audit),
  ]);
}

export function schedulerFlags(kubeconfig: string): string[] {
  return [`--kubeconfig=${kubeconfig}`, "--leader-elect=false", "--secure-port=0"];
}

export async function startScheduler(kubeconfig: string): Promise<Running> {
  return startProcess(serverBinary("kube-scheduler"), schedulerFlags(kubeconfig));
}
