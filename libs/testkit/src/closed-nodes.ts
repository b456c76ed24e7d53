import { randomBytes } from "node:crypto";
import { NODE } from "./node.ts";
import { paths } from "./objects.ts";
import type { AnyObject, Api } from "./test-api.ts";
import { waitFor } from "./wait.ts";

type Pod = AnyObject & { status: { conditions?: { type: string; status: string }[] } };

/** Of a workload, or of several in one namespace. */
const labelOf = (namespace: string, name: string) => `${namespace}.test/${name}`;
const ALL = "all";

/** What a pod of a workload needs so that {@link setOpen} and {@link closeNode} are about it. */
export function openNodeSelector(namespace: string, name = ALL): Record<string, string> {
  return { [labelOf(namespace, name)]: "open" };
}

/** Whether the node takes new pods; those that run stay. */
export async function setOpen(
  api: Api,
  namespace: string,
  open: boolean,
  name = ALL,
): Promise<void> {
  const labels = { [labelOf(namespace, name)]: open ? "open" : null };
  await api.patch(`/api/v1/nodes/${NODE.metadata.name}`, { metadata: { labels } });
}

/** Has the next rollout go no further than its first new pod. */
export async function closeNode(api: Api, namespace: string, name = ALL): Promise<void> {
  await setOpen(api, namespace, false, name);
  // The scheduler sees that a moment later.
  await waitFor(
    async () => {
      const probe = `probe-${name}-${randomBytes(3).toString("hex")}`;
      await api.create(paths.pod(namespace), {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: probe },
        spec: {
          nodeSelector: openNodeSelector(namespace, name),
          containers: [{ name: "app", image: "example/app:1" }],
        },
      });
      const isScheduled = await waitFor(
        async () => {
          const { status } = await api.get<Pod>(paths.pod(namespace, probe));
          return status.conditions?.find(({ type }) => type === "PodScheduled")?.status;
        },
        { message: "the scheduler to look at a pod" },
      );
      await api.remove(paths.pod(namespace, probe));
      return isScheduled === "False";
    },
    { message: `no node to take pods of ${name}` },
  );
}
