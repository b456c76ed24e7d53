import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApi } from "./test-api.ts";
import type { Api } from "./test-api.ts";
import { startApiServer, startEtcd, startScheduler, writeFiles } from "./control-plane.ts";
import { startControllers } from "./controller-manager.ts";
import { tokenOf } from "./users.ts";
import { startKwok } from "./kwok.ts";
import { addNode } from "./node.ts";
import type { AuditPolicy, Ports } from "./control-plane.ts";
import type { User } from "./users.ts";
import { freePort } from "./net.ts";
import type { Running } from "./process.ts";
import { waitFor } from "./wait.ts";
import type { ClusterAccess } from "./write-kubeconfig.ts";
import { kubeconfigFor, writeKubeconfig } from "./write-kubeconfig.ts";

export type Cluster = AsyncDisposable &
  ClusterAccess & {
    readonly api: Api;
    /** Path of a kubeconfig for one of the users; `url` for a proxy in front. */
    kubeconfigFor(user: User, url?: string): Promise<string>;
    /** kill -9 of the API server; etcd keeps running. */
    killApiServer(): Promise<void>;
    startApiServer(): Promise<void>;
    /** Copies etcd's data aside (with the API server and etcd stopped for it). */
    snapshot(): Promise<string>;
    /** Brings a snapshot back: the cluster is as it was then. */
    restore(snapshot: string): Promise<void>;
  };

export type ClusterOptions = {
  /** Deployments, Jobs and the like are acted on; default true. */
  controllers?: boolean;
  /** Pods are scheduled and become ready; default true. */
  pods?: boolean;
  /** Nodes that no longer answer are found and their pods evicted; default false. */
  nodesDie?: boolean;
  /** Write an audit log, of what it says; none by default. */
  audit?: AuditPolicy;
  /** Kept after disposal, and reused if it holds a cluster; a temporary folder by default. */
  dir?: string;
  ports?: Ports;
  /** Where the API server listens; 127.0.0.1 by default, which containers cannot reach. */
  address?: string;
};

/**
 * A real control plane on its own ports: etcd and API server, and with them (unless switched off)
 * controllers, scheduler and kwok.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "rollcast-cluster-")));
  await mkdir(dir, { recursive: true });
  const ports = options.ports ?? {
    api: await freePort(),
    etcd: await freePort(),
    peer: await freePort(),
  };
  await writeFiles(dir, { nodesDie: options.nodesDie, audit: options.audit });
  const address = options.address ?? "127.0.0.1";
  const url = `https://${address}:${ports.api}`;
  const auditLog = options.audit === undefined ? undefined : join(dir, "audit.log");
  const caFile = join(dir, "certs", "apiserver.crt");

  const apiServerOptions = { address, auditLog };

  let etcd: Running = await startEtcd(dir, ports);
  let apiServer: Running = await startApiServer(dir, ports, apiServerOptions);
  const ready = async () => {
    const anonymous = createApi(url, tokenOf("admin"));
    try {
      await waitFor(
        async () => {
          if (etcd.hasExited()) throw new Error(`etcd ended: ${etcd.output()}`);
          if (apiServer.hasExited()) throw new Error(`kube-apiserver: ${apiServer.output()}`);
          return (await anonymous.call<string>({ path: "/readyz" })) === "ok";
        },
        { timeout: 60_000, message: "the API server to be ready", every: 100 },
      );
    } finally {
      await anonymous[Symbol.asyncDispose]();
    }
  };
  await ready();
  const kubeconfig = await writeKubeconfig(join(dir, "admin.kubeconfig"), {
    url,
    caFile,
    token: tokenOf("admin"),
  });
  const api = createApi(url, tokenOf("admin"), caFile);
  const others: Running[] = [];
  if (options.controllers !== false)
    others.push(await startControllers(kubeconfig, options.nodesDie));
  if (options.controllers !== false && options.pods !== false) {
    others.push(
      await startScheduler(kubeconfig),
      await startKwok(dir, kubeconfig, options.nodesDie),
    );
    await addNode(api);
  }
  let snapshots = 0;
  const stopBoth = async () => {
    await apiServer.kill("SIGKILL");
    await etcd.kill("SIGTERM");
  };
  const startBoth = async () => {
    etcd = await startEtcd(dir, ports);
    apiServer = await startApiServer(dir, ports, apiServerOptions);
    await ready();
  };
  return {
    url,
    dir,
    kubeconfig,
    caFile,
    auditLog,
    api,
    kubeconfigFor: (user, at) => kubeconfigFor({ dir, url, caFile, kubeconfig }, user, at),
    async killApiServer() {
      await apiServer.kill("SIGKILL");
    },
    async startApiServer() {
      apiServer = await startApiServer(dir, ports, apiServerOptions);
      await ready();
    },
    async snapshot() {
      const copy = join(dir, `snapshot-${++snapshots}`);
      await stopBoth();
      await cp(join(dir, "etcd"), copy, { recursive: true });
      await startBoth();
      return copy;
    },
    async restore(snapshot) {
      await stopBoth();
      await rm(join(dir, "etcd"), { recursive: true, force: true });
      await cp(snapshot, join(dir, "etcd"), { recursive: true });
      await startBoth();
    },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await Promise.all(others.map((running) => running.kill()));
      await apiServer.kill();
      await etcd.kill();
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}
