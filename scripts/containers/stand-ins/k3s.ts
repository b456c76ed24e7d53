import { chmod, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { NODE } from "@rollcast/testkit/node";
import { kwokFlags } from "@rollcast/testkit/kwok";
import { STAGES } from "@rollcast/testkit/kwok-stages";
import { apiServerFlags, etcdFlags, schedulerFlags } from "@rollcast/testkit/control-plane";
import { controllerFlags } from "@rollcast/testkit/controller-manager";
import { putFile } from "./materials.ts";
import { PATH, ROOT_GROUP, ROOT_USER } from "./stand-in.ts";
import type { StandIn } from "./stand-in.ts";

const SERVERS = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kwok",
  "kubectl",
] as const;
const DATA = "/var/lib/rancher/k3s/server";
const CONFIG = "/etc/stand-in";
const KUBECONFIG = join(DATA, "admin.kubeconfig");
const PORTS = { api: 6443, etcd: 2379, peer: 2380 };

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  etcd: etcdFlags(DATA, PORTS),
  "kube-apiserver": [
    ...apiServerFlags(DATA, PORTS),
    `--client-ca-file=${DATA}/tls/ca.crt`,
    `--tls-cert-file=${DATA}/tls/server.crt`,
    `--tls-private-key-file=${DATA}/tls/server.key`,
  ],
  "kube-controller-manager": controllerFlags(KUBECONFIG),
  "kube-scheduler": schedulerFlags(KUBECONFIG),
  kwok: kwokFlags(CONFIG, KUBECONFIG),
};

/** A node whose name is NODE. */
const node = {
  ...NODE,
  metadata: {
    ...NODE.metadata,
    name: "NODE",
    labels: { ...NODE.metadata.labels, "kubernetes.io/hostname": "NODE" },
  },
};

/** The control plane of the tests, with k3s' command line, files and kubectl. */
export const k3s: StandIn = {
  images: /^rancher\/k3s:v1\.\d+\.\d+-k3s\d+$/,
  changes: [
    PATH,
    // Trades CPU for memory, so that half a gigabyte is enough.
    "ENV GOGC=50",
    "VOLUME /var/lib/rancher/k3s",
    "EXPOSE 6443",
    'ENTRYPOINT ["/bin/k3s"]',
    'CMD ["agent"]',
  ],
  inputs: async (materials) => [
    ...(await Promise.all(SERVERS.map((name) => materials.serverId(name)))),
    JSON.stringify([FLAGS, STAGES, node]),
  ],
  async fill(root, materials) {
    await materials.unpackDebian(root, "bookworm", ["openssl", "libssl3", "libc6"]);
    await rm(join(root, "usr/share"), { recursive: true, force: true });
    await materials.busybox(root);
    for (const name of SERVERS) await materials.copyServer(root, `usr/local/bin/${name}`, name);
    const script = await readFile(join(import.meta.dirname, "k3s.sh"), "utf8");
    await putFile(root, "bin/k3s", script, 0o755);
    const credentials = await readFile(join(import.meta.dirname, "k3s.credentials.sh"), "utf8");
    await putFile(root, `${CONFIG}/credentials.sh`, credentials);
    for (const [name, flags] of Object.entries(FLAGS)) {
      await putFile(root, `${CONFIG}/${name}.flags`, `${flags.join("\n")}\n`);
    }
    await putFile(root, `${CONFIG}/stages.yaml`, STAGES);
    await putFile(root, `${CONFIG}/node.json`, JSON.stringify(node));
    await putFile(root, "etc/passwd", ROOT_USER);
    await putFile(root, "etc/group", ROOT_GROUP);
    for (const name of ["root", "tmp", "run", "var/run"]) {
      await mkdir(join(root, name), { recursive: true });
    }
    await chmod(join(root, "tmp"), 0o1777);
  },
};
