import { deployment } from "@rollcast/testkit/deployment";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { NODE } from "@rollcast/testkit/node";
import { configMap, isRolledOut, paths, waitRolledOut } from "@rollcast/testkit/objects";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";

/** How the pods of a Deployment become ready: by themselves, when they are let, or never again. */
export type Pace = "quick" | "slow" | "doomed";

/** Deployments of one namespace, each with a ConfigMap of its own. */
export type Fleet = {
  readonly names: readonly string[];
  /** Gives each the next content. */
  change(names: readonly string[]): Promise<void>;
  /** How often the content of each was changed. */
  changes(name: string): number;
  /** Lets the pods of slow ones become ready, and waits until they have rolled out. */
  letReady(names: readonly string[]): Promise<void>;
  /** The Deployment as it is. */
  get(name: string): Promise<AnyObject>;
};

/** Long enough to be in the middle of a rollout while pods of Rollcast are replaced. */
const DEADLINE_S = 60;

function shaped(namespace: string, name: string, pace: Pace) {
  const made = deployment(namespace, name, {
    uses: [{ as: "envFrom", configMap: `${name}-cfg` }],
    ...(pace === "quick" ? {} : { podAnnotations: { [NEVER_READY]: "true" } }),
    ...(pace === "doomed" ? { progressDeadlineSeconds: DEADLINE_S } : {}),
  });
  const { template } = made.spec;
  // The node takes no pods from the scheduler, whose only other node is that of the processes.
  const spec = { ...template.spec, nodeName: NODE.metadata.name };
  return { ...made, spec: { ...made.spec, template: { ...template, spec } } };
}

/** Makes the Deployments, and waits until all are rolled out. */
export async function createFleet(
  api: Api,
  namespace: string,
  paces: Readonly<Record<string, Pace>>,
): Promise<Fleet> {
  const names = Object.keys(paces);
  const changes = new Map<string, number>();

  async function readyPods(name: string): Promise<void> {
    const { items } = await api.get<{ items: AnyObject[] }>(
      `${paths.pod(namespace)}?labelSelector=app%3D${name}`,
    );
    for (const { metadata } of items) {
      if (metadata.annotations?.[NEVER_READY] === undefined) continue;
      const path = paths.pod(namespace, metadata.name);
      await api.patch(path, { metadata: { annotations: { [NEVER_READY]: null } } });
    }
  }

  const fleet: Fleet = {
    names,
    changes: (name) => changes.get(name) ?? 0,
    get: (name) => api.get(paths.deployment(namespace, name)),
    async change(changed) {
      for (const name of changed) {
        const count = fleet.changes(name) + 1;
        changes.set(name, count);
        const path = paths.configMap(namespace, `${name}-cfg`);
        await api.patch(path, { data: { a: String(count) } }, "kubectl-edit");
      }
    },
    async letReady(slow) {
      for (const name of slow) {
        await waitFor(
          async () => {
            await readyPods(name);
            return isRolledOut(await fleet.get(name));
          },
          { message: `${name} to be rolled out`, timeout: 120_000 },
        );
      }
    },
  };

  await api.create("/api/v1/namespaces", { metadata: { name: namespace } });
  for (const name of names) {
    await api.create(paths.configMap(namespace), configMap(namespace, `${name}-cfg`, { a: "0" }));
    const pace = paces[name] ?? "quick";
    await api.create(paths.deployment(namespace), shaped(namespace, name, pace));
  }
  await fleet.letReady(names.filter((name) => paces[name] !== "quick"));
  for (const name of names) await waitRolledOut(api, namespace, name);
  return fleet;
}
