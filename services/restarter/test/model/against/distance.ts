import { isActive, isReady, specNumber, statusNumber } from "../cluster/controllers/parts.ts";
import { sum } from "../cluster/controllers/deployment-status.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import type { Observation } from "./observation.ts";

function countsOf(text: Observation): Map<string, number> {
  const counts = text.matchAll(/(\w+)=(\d+)/g);
  return new Map([...counts].map(([, name = "", count]) => [name, Number(count)]));
}

const parsed = new Map<Observation, Map<string, number>>();

/**
 * Roughly how many acts lie between a state and one that can show this observation: by pods and
 * ReplicaSets alone. The nearest states are looked at first; it decides nothing else.
 */
export function distance(store: ObjectStore, next: Observation | undefined): number {
  if (next === undefined) return 0;
  const counts = parsed.get(next) ?? countsOf(next);
  parsed.set(next, counts);
  const wanted = (name: string) => counts.get(name) ?? 0;
  const pods = store.list("Pod");
  const replicaSets = store.list("ReplicaSet");
  const away = (name: string, count: number) => Math.abs(wanted(name) - count);
  const ofPods =
    away("replicas", pods.filter(isActive).length) +
    away("readyReplicas", pods.filter(isReady).length);
  if (replicaSets.length === 0) return ofPods;
  const size = sum(replicaSets, (object) => specNumber(object, "replicas", 0));
  const status = (name: string) => sum(replicaSets, (object) => statusNumber(object, name));
  return (
    ofPods +
    away("replicas", status("replicas")) +
    away("readyReplicas", status("readyReplicas")) +
    away("availableReplicas", status("availableReplicas")) +
    Math.abs(size - wanted("availableReplicas") - wanted("unavailableReplicas"))
  );
}
