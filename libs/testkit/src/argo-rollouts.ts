import { setTimeout as sleep } from "node:timers/promises";
import { serverBinary } from "./binaries.ts";
import { define, defineRollouts } from "./definitions.ts";
import { freePort } from "./net.ts";
import { configMap, createNamespace, paths } from "./objects.ts";
import { startProcess } from "./process.ts";
import type { Running } from "./process.ts";
import type { AnyObject, Api } from "./test-api.ts";
import { waitFor } from "./wait.ts";

const LOOK_MS = 1_000;

/** Kinds that its informers wait for, and that nothing here makes. */
const OTHERS = [
  { kind: "AnalysisRun", plural: "analysisruns" },
  { kind: "AnalysisTemplate", plural: "analysistemplates" },
  { kind: "ClusterAnalysisTemplate", plural: "clusteranalysistemplates" },
  { kind: "Experiment", plural: "experiments" },
];

/**
 * Waits until what a Rollout owns is deleted with it: Kubernetes looks every 30 s for new kinds
 * whose deletions it has to follow.
 */
async function untilCollected(api: Api): Promise<void> {
  await using made = await createNamespace(api, "rollouts");
  const namespace = made.name;
  const all = `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/rollouts`;
  await waitFor(
    async () => {
      const { metadata } = await api.create(all, {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Rollout",
        metadata: { generateName: "owner-", namespace },
        spec: {},
      });
      const { name, uid = "" } = metadata;
      const owner = { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", name, uid };
      const owned = configMap(namespace, name, {});
      await api.create(paths.configMap(namespace), {
        ...owned,
        metadata: { ...owned.metadata, ownerReferences: [owner] },
      });
      await sleep(LOOK_MS);
      await api.remove(`${all}/${name}`);
      await sleep(LOOK_MS);
      const { items } = await api.get<{ items: AnyObject[] }>(paths.configMap(namespace));
      return items.every((item) => item.metadata.name !== name);
    },
    { timeout: 90_000, every: LOOK_MS, message: "what Rollouts own to be deleted with them" },
  );
}

/** Starts Argo Rollouts' own controller, which only `npm run model` builds. */
export async function startArgoRollouts(cluster: {
  readonly api: Api;
  readonly kubeconfig: string;
}): Promise<Running> {
  await defineRollouts(cluster.api);
  for (const names of OTHERS) {
    await define(cluster.api, { group: "argoproj.io", version: "v1alpha1", ...names });
  }
  await untilCollected(cluster.api);
  return startProcess(serverBinary("rollouts-controller"), [
    `--kubeconfig=${cluster.kubeconfig}`,
    "--leader-elect=false",
    "--qps=1000",
    "--burst=2000",
    `--metricsPort=${await freePort()}`,
    `--healthzPort=${await freePort()}`,
  ]);
}
