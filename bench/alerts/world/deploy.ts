import { openNodeSelector, setOpen } from "@rollcast/testkit/closed-nodes";
import { deployment } from "@rollcast/testkit/deployment";
import type { DeploymentShape } from "@rollcast/testkit/deployment";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { pathOf, statefulSet } from "@rollcast/testkit/shapes";
import { waitFor } from "@rollcast/testkit/wait";
import { recordKey } from "@rollcast/shared/subjects";
import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import type { AlertWorld } from "./alert-scenario.ts";

type Place = Pick<AlertWorld, "harness">;

/** A source and a Deployment of the same name that uses it, whose record is made. */
export async function deploy(
  world: Place,
  name: string,
  shape: DeploymentShape & { readonly podSpec?: object } = {},
): Promise<void> {
  const { api, namespace } = world.harness;
  const uses = [{ as: "envFrom", configMap: name }] as const;
  const made = deployment(namespace, name, { uses, ...shape });
  const spec = { ...made.spec.template.spec, ...shape.podSpec };
  const template = { ...made.spec.template, spec };
  await api.create(paths.configMap(namespace), configMap(namespace, name, { a: "0" }));
  await api.create(paths.deployment(namespace), { ...made, spec: { ...made.spec, template } });
  await waitRolledOut(api, namespace, name);
  await waitRecorded(world, "Deployment", name);
}

/** Like {@link deploy}, on a node that {@link setOpen} and `closeNode` are about. */
export async function deployOnNode(world: Place, name: string, shape: DeploymentShape = {}) {
  const { api, namespace } = world.harness;
  await setOpen(api, namespace, true, name);
  await deploy(world, name, {
    ...shape,
    podSpec: { nodeSelector: openNodeSelector(namespace, name) },
  });
}

/** A StatefulSet of one pod on a node of its own, as {@link deployOnNode}. */
export async function deployStatefulSet(world: Place, name: string): Promise<void> {
  const { api, namespace } = world.harness;
  await setOpen(api, namespace, true, name);
  await api.create(paths.configMap(namespace), configMap(namespace, name, { a: "0" }));
  const made = statefulSet(namespace, name, { uses: [{ as: "envFrom", configMap: name }] });
  const spec = made.spec as { template: { spec: object } };
  const nodeSelector = openNodeSelector(namespace, name);
  const template = { ...spec.template, spec: { ...spec.template.spec, nodeSelector } };
  await api.create(pathOf("apps/v1", namespace, "statefulsets"), {
    ...made,
    spec: { ...spec, template },
  });
  await waitRecorded(world, "StatefulSet", name);
}

type Bucket = "sources" | "workloads";

function subjectOf({ harness }: Place, bucket: Bucket, kind: string, name: string): string {
  return `$KV.${bucket}.${recordKey(CLUSTER, { kind, namespace: harness.namespace, name })}`;
}

function readMessage({ harness }: Place, bucket: Bucket, subject: string) {
  const { streams } = harness.connection.jsm;
  return streams.getMessage(`KV_${bucket}`, { last_by_subj: subject });
}

async function waitRecorded(world: Place, kind: string, name: string): Promise<void> {
  const subject = subjectOf(world, "workloads", kind, name);
  await waitFor(
    async () => {
      const message = await readMessage(world, "workloads", subject);
      return message?.json<{ phase?: string }>().phase === "current";
    },
    { message: `the record of ${name}`, timeout: 60_000, every: 300 },
  );
}

/** Writes what only a newer version can read in the place of a record; `restore` brings it back. */
export async function spoil(world: Place, bucket: Bucket, kind: string, name: string) {
  const { js } = world.harness.connection;
  const subject = subjectOf(world, bucket, kind, name);
  const message = await readMessage(world, bucket, subject);
  await js.publish(subject, JSON.stringify({ v: 2, future: true }));
  return { restore: async () => void (await js.publish(subject, message?.data ?? "")) };
}
