import { expect, test } from "vitest";
import { ownsPodsOf } from "./pod-owner.ts";

const workload = (kind: string, name: string) => ({ kind, name, uid: "u" });

test.each([
  { workload: workload("StatefulSet", "db"), owner: "StatefulSet/db", uid: "u", is: true },
  { workload: workload("StatefulSet", "db"), owner: "StatefulSet/db", is: false },
  { workload: workload("Deployment", "web"), owner: "ReplicaSet/web-7d9f", is: true },
  { workload: workload("Deployment", "web"), owner: "ReplicaSet/web-2-7d9f", is: false },
  { workload: workload("Deployment", "web"), owner: "ReplicaSet/web", is: false },
  { workload: workload("Deployment", "web"), owner: "ReplicaSet/shop-web-7d9f", is: false },
  { workload: workload("Rollout", "web"), owner: "ReplicaSet/web-7d9f", is: true },
  {
    workload: workload("DeploymentConfig", "web"),
    owner: "ReplicationController/web-4",
    is: true,
  },
  {
    workload: workload("DeploymentConfig", "web"),
    owner: "ReplicationController/web-api-4",
    is: false,
  },
  { workload: workload("CronJob", "sync"), owner: "Job/sync-0123456789", is: true },
  // A run of the schedule began with what was there then.
  { workload: workload("CronJob", "sync"), owner: "Job/sync-29000000", is: false },
  { workload: workload("Deployment", "sync"), owner: "Job/sync-0123456789", is: false },
  { workload: workload("Deployment", "tpl"), owner: "ReplicaSet/roll-7d9f", is: false },
  {
    workload: workload("Deployment", "tpl"),
    others: [{ kind: "Rollout", name: "roll" }],
    owner: "ReplicaSet/roll-7d9f",
    is: true,
  },
  {
    workload: workload("App", "shop"),
    others: [{ kind: "StatefulSet", name: "shop-db", uid: "s" }],
    owner: "StatefulSet/shop-db",
    uid: "s",
    is: true,
  },
  { workload: workload("App", "shop"), owner: "StatefulSet/shop-db", uid: "s", is: false },
  {
    workload: workload("App", "shop"),
    others: [{ kind: "Deployment", name: "front", uid: "d" }],
    owner: "ReplicaSet/front-7d9f",
    is: true,
  },
])("$workload.kind $workload.name: pods of $owner are its own: $is", (given) => {
  const [kind = "", name = ""] = given.owner.split("/");
  const owner = { kind, name, uid: given.uid ?? "another" };
  expect(ownsPodsOf(given.workload, given.others)(owner)).toBe(given.is);
});
