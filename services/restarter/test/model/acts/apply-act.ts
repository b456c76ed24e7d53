import { freezeKey } from "../../../src/model/control-entry.ts";
import { StatusError } from "../cluster/object-store.ts";
import { CLUSTER } from "../world/config.ts";
import type { World } from "../world/world.ts";
import type { Act } from "./act.ts";
import { applyEdit } from "./edits.ts";
import { source, sourceRef, webOf } from "./objects.ts";
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

/** What the backups of a schedule are kept in. */
export type Backups = { taken: readonly unknown[] | undefined };

/** Lets an act happen in the world. */
export async function applyAct(world: World, act: Act, backups: Backups): Promise<void> {
  const { clock, store, ports, lagging } = world;
  const web = webOf(ports.config);
  const freeze = freezeKey(CLUSTER, { level: "workload", ...web });
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
        if (store.get(web) === undefined || web.kind === "DaemonSet") return;
        store.patch(web, { spec: { replicas: act.replicas } }, { type: "merge", manager: "hpa" });
      });
    case "edit":
      return write(world, () => applyEdit(store, act.edit, ports.config));
    case "policy": {
      store.admission.length = 0;
      const hook = admissionOf(act.policy);
      if (hook !== undefined) store.admission.push(hook);
      return;
    }
    case "lose answers":
      return world.lose({ kind: act.of, performed: act.performed, left: act.times });
    case "hold watches":
      lagging[act.of] = act.on;
      return;
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
          .find(({ metadata }) => metadata.deletionTimestamp === undefined);
        if (pod !== undefined) store.remove({ ...web, kind: "Pod", name: pod.metadata.name });
      });
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
      return ports.control.put(freeze, {
        v: 1,
        type: "freeze",
        scope: { level: "workload", ...web },
        by: "operator",
        at: clock.now(),
        until: clock.now() + act.minutes * 60_000,
      });
    case "unfreeze":
      if (!ports.outage.isOn) ports.control.put(freeze, undefined);
      return;
  }
}
