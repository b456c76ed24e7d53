import { entryOf, fromFieldsV1, isPresence, leavesOf } from "./managed-fields.ts";
import type { Writer } from "./managed-fields.ts";
import { isEqual } from "./object.ts";
import type { Draft, KubeObject, ManagedFields } from "./object.ts";

type Container = Record<string, unknown> | unknown[];

function find(container: Container, step: string): [key: string | number, value: unknown] {
  if (!Array.isArray(container)) {
    const name = step.slice(2);
    return [name, container[name]];
  }
  const [field, wanted] = Object.entries(JSON.parse(step.slice(2)) as object)[0] ?? ["", ""];
  const at = container.findIndex((item) => (item as Record<string, unknown>)[field] === wanted);
  return [at === -1 ? container.length : at, container[at]];
}

function put(container: Container, key: string | number, value: unknown): void {
  (container as Record<string | number, unknown>)[key] = value;
}

function write(root: Container, path: string, value: unknown): void {
  const steps = path.split("\n");
  let at = root;
  for (const [i, step] of steps.entries()) {
    const [key, present] = find(at, step);
    const next = steps[i + 1];
    if (next === undefined) return put(at, key, value);
    const isContainer = typeof present === "object" && present !== null;
    if (!isContainer) put(at, key, next.startsWith("k:") ? [] : {});
    at = (isContainer ? present : find(at, step)[1]) as Container;
  }
}

function erase(root: Container, path: string): void {
  const steps = path.split("\n");
  const last = steps.pop() ?? "";
  let at: unknown = root;
  for (const step of steps) {
    if (typeof at !== "object" || at === null) return;
    at = find(at as Container, step)[1];
  }
  if (typeof at !== "object" || at === null) return;
  const [key] = find(at as Container, last);
  if (Array.isArray(at)) at.splice(Number(key), 1);
  else delete (at as Record<string, unknown>)[key];
}

const isOwner = ({ manager, operation }: ManagedFields, writer: Writer) =>
  manager === writer.manager && operation === "Apply";

export type ServerApplied = { readonly object: KubeObject; readonly conflicts: readonly string[] };

/**
 * A server-side apply: what the manager applied before and leaves out now is removed, unless
 * another manager owns it too. A value that another manager owns and that differs is a conflict;
 * where it is forced, the field is the writer's.
 */
export function serverApply(live: KubeObject, config: Draft, writer: Writer): ServerApplied {
  const wanted = new Map([...leavesOf(config)].filter(([path]) => !isPresence(path)));
  const present = leavesOf(live);
  const entries = live.metadata.managedFields ?? [];
  const own = entries.find((entry) => isOwner(entry, writer));
  const others = entries.filter((entry) => entry !== own);
  const differs = new Set(
    [...wanted].filter(([path, value]) => !isEqual(present.get(path), value)).map(([path]) => path),
  );
  const foreign = new Set(others.flatMap((entry) => fromFieldsV1(entry.fieldsV1)));
  const root = structuredClone(live) as unknown as Container;
  const before = own === undefined ? [] : fromFieldsV1(own.fieldsV1);
  for (const path of before) if (!wanted.has(path) && !foreign.has(path)) erase(root, path);
  for (const path of differs) write(root, path, structuredClone(wanted.get(path)));
  const left = others.flatMap((entry) => {
    const paths = fromFieldsV1(entry.fieldsV1).filter((path) => !differs.has(path));
    return paths.length === 0
      ? []
      : [{ ...entry, ...entryOf(entry.apiVersion, entry as Writer, paths) }];
  });
  const same = before.length === wanted.size && before.every((path) => wanted.has(path));
  const unchanged = own !== undefined && same && differs.size === 0;
  const entry = unchanged ? own : entryOf(config.apiVersion, writer, wanted.keys());
  const object = root as unknown as KubeObject;
  return {
    object: { ...object, metadata: { ...object.metadata, managedFields: [...left, entry] } },
    conflicts: [...differs].filter((path) => foreign.has(path)),
  };
}
