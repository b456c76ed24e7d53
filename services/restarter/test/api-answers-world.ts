import { startAdmissionWebhook } from "@rollcast/testkit/admission-webhook";
import { AUTO, deployment } from "@rollcast/testkit/deployment";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import { paths } from "@rollcast/testkit/objects";
import { cronJob, daemonSet, job, pathOf, statefulSet } from "@rollcast/testkit/shapes";
import { createApi } from "@rollcast/testkit/test-api";
import type { Api } from "@rollcast/testkit/test-api";
import { tokenOf } from "@rollcast/testkit/users";
import { waitFor } from "@rollcast/testkit/wait";
import { startRestarterHarness } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";
import type { Answer, Subject } from "./api-answer.ts";
import { tryEdit } from "./api-answers-policies.ts";

const USER = "restarter";
/** The webhook of the platform, whose name its refusals begin with. */
export const WEBHOOK = "platform.example.com";

const MAKE = { DaemonSet: daemonSet, StatefulSet: statefulSet, CronJob: cronJob, Job: job };
const PLURALS = { DaemonSet: "daemonsets", StatefulSet: "statefulsets", CronJob: "cronjobs" };

function collectionOf(namespace: string, kind: NonNullable<Answer["kind"]>): string {
  if (kind === "Deployment") return paths.deployment(namespace);
  const group = kind === "CronJob" || kind === "Job" ? "batch/v1" : "apps/v1";
  return pathOf(group, namespace, kind === "Job" ? "jobs" : PLURALS[kind]);
}

function objectOf(namespace: string, answer: Answer) {
  const { name, kind = "Deployment", podAnnotations, queue, part } = answer;
  const uses = [{ as: "envFrom", configMap: `${name}-cfg` }] as const;
  if (part === "status") {
    const cron = { concurrencyPolicy: "Forbid" };
    const spec = { backoffLimit: 0 };
    return cronJob(namespace, name, { uses, podAnnotations, cron, spec, endless: true });
  }
  if (kind !== "Deployment") return MAKE[kind](namespace, name, { uses });
  const annotations = queue === undefined ? AUTO : { ...AUTO, "rollcast.dev/queue": queue };
  return deployment(namespace, name, { uses, replicas: 0, annotations, podAnnotations });
}

/**
 * What the chart gives the restarter, but for the right to patch StatefulSets, and the status of
 * other CronJobs than these.
 */
async function allow(api: Api, namespace: string, statuses: readonly string[]): Promise<void> {
  const metadata = { name: USER, namespace };
  const rbac = "rbac.authorization.k8s.io";
  const reads = ["get", "list", "watch"];
  await api.create(pathOf(`${rbac}/v1`, namespace, "roles"), {
    apiVersion: `${rbac}/v1`,
    kind: "Role",
    metadata,
    rules: [
      { apiGroups: ["apps"], resources: ["statefulsets"], verbs: reads },
      {
        apiGroups: ["apps"],
        resources: ["deployments", "daemonsets"],
        verbs: [...reads, "patch"],
      },
      { apiGroups: ["batch"], resources: ["cronjobs"], verbs: [...reads, "patch"] },
      {
        apiGroups: ["batch"],
        resources: ["cronjobs/status"],
        resourceNames: statuses,
        verbs: ["patch"],
      },
      { apiGroups: ["batch"], resources: ["jobs"], verbs: [...reads, "create", "delete"] },
      { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] },
      { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create"] },
    ],
  });
  await api.create(pathOf(`${rbac}/v1`, namespace, "rolebindings"), {
    apiVersion: `${rbac}/v1`,
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: rbac, kind: "Role", name: USER },
    subjects: [{ kind: "User", name: USER, apiGroup: rbac }],
  });
}

/** An answer that is given; its fault can end before. */
type Given = AsyncDisposable & { endFault(): void };

/** One restarter, and a workload for each answer. */
export type World = AsyncDisposable & {
  readonly harness: RestarterHarness;
  /** Makes the workload and its source, and waits until it is adopted. */
  deploy(answer: Answer): Promise<Subject>;
  /** From now on the answer is given, until disposal. */
  give(answer: Answer, subject: Subject): Promise<Given>;
  /** How many of the requests that it is the answer to came so far. */
  tries(answer: Answer, subject: Subject): number;
};

/** `statuses`: the CronJobs whose status the restarter may patch. */
export async function openWorld(statuses: readonly string[]): Promise<World> {
  await using undo = new AsyncDisposableStack();
  const queue = {
    window: "100ms",
    concurrency: 20,
    backoff: { initial: "100ms", max: "300ms" },
  };
  const config = {
    queues: [
      { ...queue, name: "default", attempts: 100 },
      { ...queue, name: "last", attempts: 1 },
    ],
    queueAnnotation: { namespaces: ["*"] },
  };
  const harness = undo.use(await startRestarterHarness({ faultProxy: true, user: USER, config }));
  const { api, cluster, namespace, proxy } = harness;
  await allow(api, namespace, statuses);
  const asRestarter = undo.use(createApi(cluster.url, tokenOf(USER), cluster.caFile));
  const webhooks = new Map<string, [Answer, Subject]>();
  const reviews = new Map<string, number>();
  let hasReviewed = false;
  const methods = { UPDATE: "PATCH", CREATE: "POST", DELETE: "DELETE" };
  const webhook = {
    namespace,
    name: WEBHOOK,
    condition: `request.userInfo.username == '${USER}'`,
    review: async (request: Parameters<NonNullable<Answer["webhook"]>>[1]) => {
      hasReviewed = true;
      // The Jobs of a CronJob have its name and a digest.
      const given = webhooks.get(request.name) ?? webhooks.get(request.name.slice(0, -11));
      if (given === undefined) return undefined;
      const [answer, subject] = given;
      if (methods[request.operation] !== (answer.method ?? "PATCH")) return undefined;
      if ((request.subResource ?? "") !== (answer.part ?? "")) return undefined;
      reviews.set(answer.name, (reviews.get(answer.name) ?? 0) + 1);
      return answer.webhook?.(subject, request);
    },
  };
  undo.use(await startAdmissionWebhook(cluster, webhook));
  const probe = paths.deployment(namespace, "probe");
  await api.create(
    paths.deployment(namespace),
    deployment(namespace, "probe", { replicas: 0, annotations: {} }),
  );
  const isInForce = async () => {
    await tryEdit(asRestarter, probe);
    return hasReviewed;
  };
  await waitFor(isInForce, { message: "the webhook to be in force", every: 100 });
  const faults = new Map<string, Rule>();
  const setFaults = () => proxy.rules([...faults.values()]);
  const pathOfRequest = ({ method, part }: Answer, { path, namespace: at }: Subject) => {
    if (method === "POST") return collectionOf(at, "Job");
    return part === undefined ? path : `${path}/${part}`;
  };
  await harness.start();
  const kept = undo.move();
  return {
    harness,
    async deploy(answer) {
      const { name, kind = "Deployment" } = answer;
      await harness.adopt(`${name}-cfg`, "0");
      const collection = collectionOf(namespace, kind);
      await api.create(collection, objectOf(namespace, answer));
      await harness.waitCurrent(kind, name);
      return { api, namespace, name, collection, path: `${collection}/${name}` };
    },
    async give(answer, subject) {
      const lift = new AsyncDisposableStack();
      const { name, method = "PATCH", fault } = answer;
      const endFault = () => {
        faults.delete(name);
        setFaults();
      };
      if (answer.begin !== undefined)
        lift.use(await answer.begin(subject, { cluster, asRestarter }));
      if (answer.webhook !== undefined) {
        webhooks.set(name, [answer, subject]);
        lift.defer(() => void webhooks.delete(name));
      }
      if (fault !== undefined) {
        const path = new RegExp(`${pathOfRequest(answer, subject)}(\\?|$)`);
        faults.set(name, { method, path, fault });
        setFaults();
        lift.defer(endFault);
      }
      return { endFault, [Symbol.asyncDispose]: () => lift.disposeAsync() };
    },
    tries(answer, subject) {
      // The Jobs of others are made on the same path. The API server may ask a webhook twice.
      if (answer.method === "POST" && answer.webhook !== undefined) {
        return reviews.get(answer.name) ?? 0;
      }
      const wanted = pathOfRequest(answer, subject);
      return proxy.requests.filter(
        ({ method, path }) => method === (answer.method ?? "PATCH") && path === wanted,
      ).length;
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
