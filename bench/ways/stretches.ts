import type { ServiceName } from "@rollcast/testkit/services";

/** A service's part of the way of a change. */
export type Stretch = {
  readonly service: ServiceName;
  readonly title: string;
  /** Regular expressions of the bytes on its sockets between which it lies. */
  readonly begin: string;
  readonly end: string;
};

/** What passes: this ConfigMap, to this Deployment, to this path of the receiver. */
export const CHANGE = { source: "cfg", workload: "web", path: "/hook" } as const;

export const STRETCHES: readonly Stretch[] = [
  {
    service: "watcher",
    title: "From a watch event to `source.changed`",
    begin: `"type":"MODIFIED".*"name":"${CHANGE.source}"`,
    end: String.raw`PUB rollcast\.v1\.\S+\.source\.changed\.`,
  },
  {
    service: "restarter",
    title: "From `source.changed` to the patch",
    begin: String.raw`MSG rollcast\.v1\.\S+\.source\.changed\.`,
    end: String.raw`^PATCH /apis/apps/v1/namespaces/\S+/deployments/${CHANGE.workload}[? ]`,
  },
  {
    service: "notifier",
    title: "From `rollout.succeeded` to the message",
    begin: String.raw`MSG rollcast\.v1\.\S+\.rollout\.succeeded\.`,
    end: `^POST ${CHANGE.path} `,
  },
];
