import { DEAD } from "@rollcast/testkit/kwok";
import { freezeKey, settingsKey, stateKey } from "../../../src/model/control-entry.ts";
import { StatusError } from "../cluster/object-store.ts";
import { jobOf, runScheduled } from "../cluster/controllers/cronjob.ts";
import type { ObjectStore, Ref } from "../cluster/object-store.ts";
import { podQuota as admitPods } from "../cluster/quota.ts";
import { CLUSTER, NODES, QUEUE } from "../world/config.ts";
import type { World } from "../world/world.ts";
import type { Act } from "./act.ts";
import { applyEdit } from "./edits.ts";
import { QUOTA_REF, node, podQuota, source, sourceRef, workloadRef } from "./objects.ts";
import { admissionOf } from "./policies.ts";

const OWNER = { manager: "owner" } as const;

/** A write of somebody else; one that the API server refuses is no act. */
function write(world: World, change: () => void): void {
  try {
    change();
  } catch (err) {
    if (!(err instanceof StatusError)) throw err;
    world.recorder.note(`the API server refuses that: ${err.message}`);
  }
  world.recorder.sync("owner");
}

function changeSource({ store }: World, act: Act & { do: "change source" }): void {
  const ref = sourceRef(act.source);
  const { data } = source(act.source, act.value);
  if (store.get(ref) === undefined) store.create(source(act.source, act.value), OWNER);
  else store.patch(ref, { data }, { type: "merge", ...OWNER });
}

/** A world whose pods are on one node that nobody mentions has them all from then on. */
function setNode(store: ObjectStore, act: Act & { do: "node" }): void {
  const isMissing = (name: string) => store.get({ kind: "Node", name }) === undefined;
  for (const name of NODES) if (isMissing(name)) store.create(node(name), OWNER);
  const labels = { [DEAD]: act.alive ? null : "true" };
  store.patch(
    { kind: "Node", name: act.node },
    { metadata: { labels } },
    { type: "merge", ...OWNER },
  );
}

function runJob(store: ObjectStore, ref: Ref, by: "schedule" | "hand"): void {
  const cronJob = store.get(ref);
  if (cronJob?.kind !== "CronJob" || cronJob.metadata.deletionTimestamp !== undefined) return;
  if (by === "schedule") runScheduled(store, cronJob);
  else store.create(jobOf(cronJob, `hand-${store.events().length}`), OWNER);
}

/** What the backups of a schedule are kept in. */
export type Backups = { taken: readonly unknown[] | undefined };

/** Lets an act happen in the world. */
export async function applyAct(world: World, act: Act, backups: Backups): Promise<void> {
  const { clock, store, ports } = world;
  const name = ("workload" in act ? act.workload : undefined) ?? "web";
  const ref = workloadRef(ports.config, name);
  const scope = { level: "workload", ...ref } as const;
  const buckets = [ports.records, ports.sources, ports.control];
  switch (act.do) {
    case "pass":
      return world.pass(act);
    case "controllers":
      return world.controllers(act.count, act.seed);
    case "change source":
      return write(world, () => changeSource(world, act));
    case "delete source":
      return write(world, () => {
        if (store.get(sourceRef(act.source)) !== undefined) store.remove(sourceRef(act.source));
      });
    case "scale":
      return write(world, () => {
        if (store.get(ref)?.spec?.replicas === undefined) return;
        store.patch(ref, { spec: { replicas: act.replicas } }, { type: "merge", manager: "hpa" });
      });
    case "edit":
      return write(world, () => applyEdit(store, act.edit, { config: ports.config, name }));
    case "policy":
      return world.admit("policy", admissionOf(act.policy, act.workload));
    case "lose answers":
      return world.lose({ kind: act.of, performed: act.performed, left: act.times });
    case "hold watches":
      return world.holdWatches(act.of, act.on);
    case "break watches":
      return ports.kube.breakWatches(act.expired);
    case "touch records":
      if (ports.outage.isOn) return;
      for (const key of ports.records.entries().keys()) ports.records.touch(key);
      return;
    case "NATS outage":
      return world.outage(act.on);
    case "delete pod":
      return write(world, () => {
        const pod = store
          .list("Pod")
          .find(
            ({ metadata }) =>
              metadata.deletionTimestamp === undefined && metadata.labels?.app === name,
          );
        if (pod !== undefined) store.remove({ ...ref, kind: "Pod", name: pod.metadata.name });
      });
    case "run Job":
      return write(world, () => runJob(store, ref, act.by));
    case "empty Redis":
      return ports.jobs.empty();
    case "kill":
      return world.restart(act.replica);
    case "backup":
      backups.taken = buckets.map((bucket) => bucket.backup());
      return;
    case "restore":
      if (ports.outage.isOn) return;
      if (backups.taken === undefined) return;
      for (const [i, bucket] of buckets.entries()) bucket.restore(backups.taken[i]);
      world.watcher.relist();
      world.resync("nats-reconnect");
      return;
    case "freeze":
      if (ports.outage.isOn) return;
      return ports.control.put(freezeKey(CLUSTER, scope), {
        v: 1,
        type: "freeze",
        scope,
        by: "operator",
        at: clock.now(),
        until: clock.now() + act.minutes * 60_000,
      });
    case "unfreeze":
      if (!ports.outage.isOn) ports.control.put(freezeKey(CLUSTER, scope), undefined);
      return;
    case "pod quota":
      world.admit("quota", admitPods);
      return write(world, () => {
        if (store.get(QUOTA_REF) !== undefined) store.remove(QUOTA_REF);
        if (act.pods !== undefined) store.create(podQuota(act.pods), OWNER);
      });
    case "node":
      return write(world, () => setNode(store, act));
    case "pause queue": {
      if (ports.outage.isOn) return;
      const paused = { value: true, by: "operator", at: clock.now() };
      const settings = { v: 1, type: "settings", queue: QUEUE, paused };
      return ports.control.put(settingsKey(CLUSTER, QUEUE), act.on ? settings : undefined);
    }
    case "resume halted": {
      const key = stateKey(CLUSTER, QUEUE);
      const { text } = ports.control.entries().get(key) ?? {};
      if (ports.outage.isOn || text === undefined) return;
      return ports.control.put(key, { ...(JSON.parse(text) as object), failures: [] });
    }
  }
}
