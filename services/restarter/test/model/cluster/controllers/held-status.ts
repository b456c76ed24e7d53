import type { ObjectStore } from "../object-store.ts";
import { isEqual, refOf } from "../object.ts";
import type { Fields, KubeObject } from "../object.ts";
import { writeStatus } from "./parts.ts";
import type { Act } from "./act.ts";

const by = { manager: "kube-controller-manager" };

function heldOf(store: ObjectStore, set: KubeObject): KubeObject | undefined {
  const name = `${set.kind.toLowerCase()}-${set.metadata.name}`;
  return store.get({ ...refOf(set), kind: "HeldStatus", name });
}

/**
 * A sync of one set: the status that it computes at first and writes at last, and what it does
 * between.
 */
export type Sync = {
  readonly set: KubeObject;
  readonly status: Fields | undefined;
  readonly acts: readonly Act[];
};

/**
 * The controllers of StatefulSets and DaemonSets write a status again where somebody has written
 * the object meanwhile: a status of before may so come after an edit. These acts compute it and
 * keep it, and do some of what belongs to the sync; nothing else is done until it is written.
 */
export function holdActs(store: ObjectStore, { set, status, acts }: Sync): Act[] {
  if (status === undefined || heldOf(store, set) !== undefined) return [];
  if (isEqual(set.status ?? {}, status)) return [];
  const { name, namespace } = set.metadata;
  const metadata = {
    name: `${set.kind.toLowerCase()}-${name}`,
    ...(namespace === undefined ? {} : { namespace }),
  };
  const held = { apiVersion: "model/v1", kind: "HeldStatus", metadata, held: status };
  const some = [[], ...acts.map((act) => [act]), ...(acts.length > 1 ? [acts] : [])];
  return some.map((done) => ({
    name: [`${set.kind} ${name}: compute a status`, ...done.map((act) => act.name)].join(", "),
    run: () => {
      store.create(held, by);
      for (const { run } of done) run();
    },
  }));
}

/** The act that writes the status which was computed. */
export function heldActs(store: ObjectStore, set: KubeObject): Act[] {
  const held = heldOf(store, set);
  if (held === undefined) return [];
  const run = () => {
    store.remove(refOf(held));
    writeStatus(store, set, held.held as Fields);
  };
  return [{ name: `${set.kind} ${set.metadata.name}: write its computed status`, run }];
}
