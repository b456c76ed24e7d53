import { serverBinary } from "./binaries.ts";
import { startProcess } from "./process.ts";
import type { Running } from "./process.ts";

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

/** Finds dead nodes within seconds, and never waits with another one of the same zone. */
const LIFECYCLE = [
  "--node-monitor-period=500ms",
  "--node-monitor-grace-period=6s",
  "--node-startup-grace-period=10s",
  "--node-eviction-rate=10",
  "--secondary-node-eviction-rate=10",
];

export function controllerFlags(kubeconfig: string, nodesDie = false): string[] {
  const more = nodesDie ? ["node-lifecycle-controller", "taint-eviction-controller"] : [];
  return [
    `--kubeconfig=${kubeconfig}`,
    `--controllers=${[...CONTROLLERS, ...more].join(",")}`,
    ...(nodesDie ? LIFECYCLE : []),
    "--kube-api-qps=1000",
    "--kube-api-burst=2000",
    "--concurrent-deployment-syncs=10",
    "--concurrent-replicaset-syncs=10",
    "--leader-elect=false",
    "--secure-port=0",
  ];
}

export async function startControllers(kubeconfig: string, nodesDie = false): Promise<Running> {
  return startProcess(
    serverBinary("kube-controller-manager"),
    controllerFlags(kubeconfig, nodesDie),
  );
}
