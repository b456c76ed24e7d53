import { createHash } from "node:crypto";
import { dig, digNumber, parseTime } from "@rollcast/kube/object";
import { StatusError } from "../object-store.ts";
import type { ObjectStore } from "../object-store.ts";
import { canonical, isEqual, refOf } from "../object.ts";
import type { Draft, Fields, KubeObject, OwnerReference } from "../object.ts";
import type { Act } from "./act.ts";

export const POD_HASH = "pod-template-hash";
export const REVISION_HASH = "controller-revision-hash";

export function specNumber(object: KubeObject, name: string, fallback: number): number {
  return digNumber(object.spec, fallback, name);
}

export function statusNumber(object: KubeObject, name: string): number {
  return digNumber(object.status, 0, name);
}

export function isDeleting({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** What an object controls, the oldest first. */
export function ownedBy(store: ObjectStore, kind: string, owner: KubeObject): KubeObject[] {
  return store
    .list(kind, owner.metadata.namespace)
    .filter((object) => controllerOf(object)?.uid === owner.metadata.uid)
    .toSorted((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1));
}

export function ownerReference({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  const { name, uid } = metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** A name for a pod template, by its whole content. */
export function hashOf(template: unknown): string {
  return createHash("sha256").update(canonical(template)).digest("hex").slice(0, 10);
}

export function phaseOf(pod: KubeObject): string {
  return String(pod.status?.phase ?? "Pending");
}

function readyCondition(pod: KubeObject): Fields | undefined {
  return conditionOf(pod, "Ready");
}

export function isReady(pod: KubeObject): boolean {
  return phaseOf(pod) === "Running" && readyCondition(pod)?.status === "True";
}

/** Ready for as long as the workload wants. */
export function isAvailable(pod: KubeObject, minReadySeconds: number, now: number): boolean {
  if (!isReady(pod)) return false;
  const since = parseTime(String(readyCondition(pod)?.lastTransitionTime));
  return minReadySeconds === 0 || (since !== undefined && since + minReadySeconds * 1_000 < now);
}

/** Neither ended nor on the way out. */
export function isActive(pod: KubeObject): boolean {
  return !isDeleting(pod) && phaseOf(pod) !== "Succeeded" && phaseOf(pod) !== "Failed";
}

export function conditionsOf(object: KubeObject): readonly Fields[] {
  const conditions = object.status?.conditions;
  return Array.isArray(conditions) ? (conditions as Fields[]) : [];
}

export function conditionOf(object: KubeObject, type: string): Fields | undefined {
  return conditionsOf(object).find((condition) => condition.type === type);
}

/** Without what the API server leaves out of JSON: zeros, empty lists and what is undefined. */
export function omitEmpty(fields: Fields, kept: readonly string[] = []): Fields {
  const isEmpty = (value: unknown) =>
    value === undefined || value === 0 || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => kept.includes(name) || !isEmpty(value)),
  );
}

/** The act that writes this status; none where it is written already. */
export function statusActs(store: ObjectStore, object: KubeObject, status: Fields): Act[] {
  if (isEqual(object.status ?? {}, status)) return [];
  const name = `${object.kind} ${object.metadata.name}: status`;
  return [{ name, run: () => writeStatus(store, object, status) }];
}

export function writeStatus(store: ObjectStore, object: KubeObject, status: Fields): void {
  store.update(
    { ...object, status },
    { manager: "kube-controller-manager", subresource: "status" },
  );
}

/** Why the API server would refuse this object now, or undefined. */
export function refusalOf(store: ObjectStore, object: Draft): StatusError | undefined {
  if (store.admission.length === 0) return undefined;
  try {
    store.fork({ log: false }).create(object, { manager: "kube-controller-manager" });
  } catch (err) {
    if (!(err instanceof StatusError)) throw err;
    return err;
  }
  return undefined;
}

/** A pod of a workload's template. */
export function podOf(
  owner: KubeObject,
  template: Fields,
  named: { readonly name?: string; readonly generateName?: string },
): Draft {
  const labels = dig(template, "metadata", "labels") as Record<string, string> | undefined;
  const annotations = dig(template, "metadata", "annotations") as
    | Record<string, string>
    | undefined;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...named,
      namespace: owner.metadata.namespace ?? "",
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [ownerReference(owner)],
    },
    spec: template.spec as Fields,
  };
}

export function createPod(store: ObjectStore, pod: Draft): void {
  store.create(pod, { manager: "kube-controller-manager" });
}

export function removePod(store: ObjectStore, pod: KubeObject): void {
  store.remove(refOf(pod), { manager: "kube-controller-manager", uid: pod.metadata.uid });
}

/** An amount in pods, or in percent of the replicas. */
export function scaled(value: unknown, replicas: number, round: "up" | "down"): number {
  if (typeof value === "number") return value;
  const percent = Number.parseInt(String(value ?? 0), 10);
  const exact = (percent * replicas) / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}
