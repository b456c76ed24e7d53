import { AUTO, deployment } from "@rollcast/testkit/deployment";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { NODE } from "@rollcast/testkit/node";
import { configMap, isRolledOut, paths } from "@rollcast/testkit/objects";
import { cronJob, daemonSet, job, pathOf, statefulSet } from "@rollcast/testkit/shapes";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";

/** How the pods of a workload become ready: by themselves, when they are let, or never again. */
export type Pace = "quick" | "slow" | "doomed";

export type Member = { readonly kind: keyof typeof KINDS; readonly pace: Pace };

/** Workloads of one namespace, each with a ConfigMap of its own. */
export type Fleet = {
  readonly namespace: string;
  readonly names: readonly string[];
  /** The kind of each. */
  kind(name: string): Member["kind"];
  /** Gives each the next content. */
  change(names: readonly string[]): Promise<void>;
  /** How often the content of each was changed. */
  changes(name: string): number;
  /** Lets the pods of slow ones become ready, and waits until they have rolled out. */
  letReady(names: readonly string[]): Promise<void>;
  /** The workload as it is. */
  get(name: string): Promise<AnyObject>;
};

type Status = { readonly [field: string]: unknown };

/** Whether the controller has seen the newest generation, and counts one pod in each field. */
function hasOne({ metadata, status }: AnyObject, ...fields: readonly string[]): boolean {
  const counted = status as Status;
  const isSeen = Number(counted.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  return isSeen && fields.every((field) => counted[field] === 1);
}

function isComplete({ status }: AnyObject): boolean {
  const { conditions = [] } = status as { conditions?: { type: string }[] };
  return conditions.some(({ type }) => type === "Complete");
}

/** Of each kind: where its objects are, what makes one of one pod, and when it is rolled out. */
const KINDS = {
  Deployment: { at: ["apps/v1", "deployments"], make: deployment, isDone: isRolledOut },
  StatefulSet: {
    at: ["apps/v1", "statefulsets"],
    make: statefulSet,
    isDone: (object: AnyObject) => hasOne(object, "replicas", "updatedReplicas", "readyReplicas"),
  },
  DaemonSet: {
    at: ["apps/v1", "daemonsets"],
    make: daemonSet,
    isDone: (object: AnyObject) => hasOne(object, "updatedNumberScheduled", "numberAvailable"),
  },
  Job: { at: ["batch/v1", "jobs"], make: job, isDone: isComplete },
  CronJob: {
    at: ["batch/v1", "cronjobs"],
    make: cronJob,
    isDone: ({ status }: AnyObject) => (status as Status).active === undefined,
  },
} as const;

/** Long enough to be in the middle of a rollout while pods of Rollcast are replaced. */
const DEADLINE_S = 60;

function shaped(namespace: string, name: string, { kind, pace }: Member): AnyObject {
  // A Job that is complete is made again only if its own annotation asks for it.
  const named = { "configmap.reloader.stakater.com/reload": `${name}-cfg` };
  const made: AnyObject = KINDS[kind].make(namespace, name, {
    annotations: kind === "Job" ? named : AUTO,
    uses: [{ as: "envFrom", configMap: `${name}-cfg` }],
    ...(pace === "quick" ? {} : { podAnnotations: { [NEVER_READY]: "true" } }),
    ...(pace === "doomed" ? { progressDeadlineSeconds: DEADLINE_S } : {}),
    ...(kind === "CronJob" ? { cron: { concurrencyPolicy: "Forbid" } } : {}),
  });
  type Spec = { template: { spec: { nodeName?: string } }; jobTemplate?: { spec: Spec } };
  const spec = made.spec as Spec;
  const { template } = spec.jobTemplate?.spec ?? spec;
  // The node takes no pods from the scheduler, whose only other node is that of the processes.
  template.spec.nodeName = NODE.metadata.name;
  return made;
}

/** Makes the workloads, and waits until all are rolled out; a slow Job runs on. */
export async function createFleet(
  api: Api,
  namespace: string,
  members: Readonly<Record<string, Member>>,
): Promise<Fleet> {
  const names = Object.keys(members);
  const changes = new Map<string, number>();
  const kindOf = (name: string) => members[name]?.kind ?? "Deployment";
  const pathTo = (name: string, object?: string) => {
    const [group, plural] = KINDS[kindOf(name)].at;
    return pathOf(group, namespace, plural, object);
  };

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
    namespace,
    names,
    kind: kindOf,
    changes: (name) => changes.get(name) ?? 0,
    get: (name) => api.get(pathTo(name, name)),
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
            return KINDS[kindOf(name)].isDone(await fleet.get(name));
          },
          { message: `${name} to be rolled out`, timeout: 120_000 },
        );
      }
    },
  };

  await api.create("/api/v1/namespaces", { metadata: { name: namespace } });
  for (const [name, member] of Object.entries(members)) {
    await api.create(paths.configMap(namespace), configMap(namespace, `${name}-cfg`, { a: "0" }));
    await api.create(pathTo(name), shaped(namespace, name, member));
  }
  // It is made again while it runs.
  const isRunning = ({ kind, pace }: Member) => kind === "Job" && pace === "slow";
  const rolledOut = Object.entries(members).filter(([, member]) => !isRunning(member));
  await fleet.letReady(rolledOut.map(([name]) => name));
  return fleet;
}
