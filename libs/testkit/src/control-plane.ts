import { generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serverBinary } from "./binaries.ts";
import { startProcess } from "./process.ts";
import type { Running } from "./process.ts";

/** Ports of one control plane: of etcd on 127.0.0.1, of the API server there too unless told. */
export type Ports = { readonly api: number; readonly etcd: number; readonly peer: number };

export type ApiServerOptions = {
  /** Where the API server listens, which is the address in its certificate. */
  readonly address: string;
  readonly auditLog: string | undefined;
};

/** Users that a test may act as, each by its token; `admin` may do everything, the others nothing until a test gives them a role. */
export const USERS = ["admin", "watcher", "restarter", "notifier", "alice"] as const;
export type User = (typeof USERS)[number];

export function tokenOf(user: User): string {
  return `token-of-${user}`;
}

/** Writes what the servers read at their start. */
export async function writeFiles(dir: string): Promise<void> {
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
  await writeFile(join(dir, "audit.yaml"), AUDIT_POLICY);
  await writeFile(join(dir, "stages.yaml"), STAGES);
}

const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{ level: Metadata }]
`;

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

/** Flags of an API server, but for whom it lets in and where it listens; its keys for service accounts are `sa.pub` and `sa.key` in `dir`. */
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

const CONTROLLERS = [
  "deployment-controller",
  "replicaset-controller",
  "statefulset-controller",
  "daemonset-controller",
  "job-controller",
  "cronjob-controller",
  "garbage-collector-controller",
  "namespace-controller",
  "resourcequota-controller",
];

export function controllerFlags(kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--controllers=${CONTROLLERS.join(",")}`,
    "--kube-api-qps=1000",
    "--kube-api-burst=2000",
    "--concurrent-deployment-syncs=10",
    "--concurrent-replicaset-syncs=10",
    "--leader-elect=false",
    "--secure-port=0",
  ];
}

export async function startControllers(kubeconfig: string): Promise<Running> {
  return startProcess(serverBinary("kube-controller-manager"), controllerFlags(kubeconfig));
}

export function schedulerFlags(kubeconfig: string): string[] {
  return [`--kubeconfig=${kubeconfig}`, "--leader-elect=false", "--secure-port=0"];
}

export async function startScheduler(kubeconfig: string): Promise<Running> {
  return startProcess(serverBinary("kube-scheduler"), schedulerFlags(kubeconfig));
}

/** Flags of a kwok that plays the nodes and pods as `stages.yaml` in `dir` says. */
export function kwokFlags(dir: string, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    "--manage-all-nodes=true",
    `--config=${join(dir, "stages.yaml")}`,
    "--server-address=127.0.0.1:0",
    "--node-lease-duration-seconds=0",
  ];
}

export async function startKwok(dir: string, kubeconfig: string): Promise<Running> {
  return startProcess(serverBinary("kwok"), kwokFlags(dir, kubeconfig));
}

/** Pods with this annotation never get ready: a rollout to them cannot finish. */
export const NEVER_READY = "test.rollcast.dev/never-ready";

/** The node on which kwok plays every pod. */
export const NODE = {
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name: "node-1",
    annotations: { "kwok.x-k8s.io/node": "fake" },
    labels: { "kubernetes.io/hostname": "node-1", "kubernetes.io/os": "linux" },
  },
  status: {
    allocatable: { cpu: "100k", memory: "100Ti", pods: "100k" },
    capacity: { cpu: "100k", memory: "100Ti", pods: "100k" },
  },
};

/** How kwok plays nodes and pods: ready at once, complete where their Job is done, gone when deleted. https://kwok.sigs.k8s.io/docs/user/stages-configuration/ */
export const STAGES = `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: node-initialize }
spec:
  resourceRef: { apiGroup: v1, kind: Node }
  selector:
    matchExpressions:
      - { key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: NotIn, values: ["True"] }
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
        - lastHeartbeatTime: {{ $now | Quote }}
          lastTransitionTime: {{ $now | Quote }}
          message: played by kwok
          reason: KubeletReady
          status: "True"
          type: Ready
      phase: Running
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: pod-ready }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: .metadata.deletionTimestamp, operator: DoesNotExist }
      - { key: .status.podIP, operator: DoesNotExist }
      - { key: '.metadata.annotations["${NEVER_READY}"]', operator: DoesNotExist }
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
        {{ if .spec.initContainers }}
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", reason: PodCompleted, type: Initialized }
        {{ else }}
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: Initialized }
        {{ end }}
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: Ready }
        - { lastTransitionTime: {{ $now | Quote }}, status: "True", type: ContainersReady }
      containerStatuses:
        {{ range .spec.containers }}
        - image: {{ .image | Quote }}
          name: {{ .name | Quote }}
          ready: true
          restartCount: 0
          started: true
          state: { running: { startedAt: {{ $now | Quote }} } }
        {{ end }}
      hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
      podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
      phase: Running
      startTime: {{ $now | Quote }}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: pod-complete }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: .metadata.deletionTimestamp, operator: DoesNotExist }
      - { key: .status.phase, operator: In, values: [Running] }
      - { key: '.metadata.ownerReferences.[].kind', operator: In, values: [Job] }
  next:
    statusTemplate: |
      {{ $now := Now }}
      {{ $root := . }}
      containerStatuses:
        {{ range $index, $item := .spec.containers }}
        {{ $origin := index $root.status.containerStatuses $index }}
        - image: {{ $item.image | Quote }}
          name: {{ $item.name | Quote }}
          ready: false
          restartCount: 0
          started: false
          state:
            terminated:
              exitCode: 0
              finishedAt: {{ $now | Quote }}
              reason: Completed
              startedAt: {{ $now | Quote }}
        {{ end }}
      phase: Succeeded
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: pod-delete }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: .metadata.deletionTimestamp, operator: Exists }
  next:
    finalizers: { empty: true }
    delete: true
`;
