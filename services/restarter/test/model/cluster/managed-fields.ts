import { isEqual } from "./object.ts";
import type { Draft, Fields, KubeObject, ManagedFields } from "./object.ts";

/** Who writes, and how. */
export type Writer = {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly subresource?: "status" | "scale";
  readonly time: string;
};

/** The fields of an object by their path: `f:spec` and `f:replicas`, joined. */
export type Leaves = ReadonlyMap<string, unknown>;

const SEPARATOR = "\n";
const OWNED_METADATA = new Set(["labels", "annotations", "finalizers", "ownerReferences"]);

/** Items of a list that are merged by their name or type, as containers and conditions are. */
function itemKey(item: unknown): string | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { name, type } = item as { name?: unknown; type?: unknown };
  if (typeof name === "string") return `k:${JSON.stringify({ name })}`;
  return typeof type === "string" ? `k:${JSON.stringify({ type })}` : undefined;
}

function children(value: unknown): [step: string, child: unknown][] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Array.isArray(value))
    return Object.entries(value).map(([name, child]) => [`f:${name}`, child]);
  const keyed = value.map((item): [string | undefined, unknown] => [itemKey(item), item]);
  return keyed.every(([key]) => key !== undefined) ? (keyed as [string, unknown][]) : undefined;
}

/** Whoever makes a map or an item of a list owns that it is there, beside what is in it. */
const MADE = `${SEPARATOR}.`;
const IS_MADE = /f:(?:annotations|labels)$|k:\{[^\n]*\}$/;

/** Whether the path says only that something is there. */
export function isPresence(path: string): boolean {
  return path.endsWith(MADE);
}

function walk(value: unknown, path: string, into: Map<string, unknown>): void {
  if (value === undefined) return;
  const below = children(value);
  if (below !== undefined && below.length > 0 && IS_MADE.test(path)) into.set(path + MADE, true);
  if (below === undefined || below.length === 0) {
    into.set(path, value);
    return;
  }
  for (const [step, child] of below) walk(child, `${path}${SEPARATOR}${step}`, into);
}

/** What managers may own of an object. */
export function leavesOf(object: Draft): Leaves {
  const leaves = new Map<string, unknown>();
  for (const [name, value] of Object.entries(object)) {
    if (["apiVersion", "kind", "metadata"].includes(name)) continue;
    walk(value, `f:${name}`, leaves);
  }
  for (const [name, value] of Object.entries(object.metadata)) {
    if (OWNED_METADATA.has(name)) walk(value, ["f:metadata", `f:${name}`].join(SEPARATOR), leaves);
  }
  return leaves;
}

/** Paths as `fieldsV1` has them. */
export function toFieldsV1(paths: Iterable<string>): Fields {
  const root: Record<string, unknown> = {};
  for (const path of paths) {
    let at = root;
    for (const step of path.split(SEPARATOR)) {
      at[step] ??= {};
      at = at[step] as Record<string, unknown>;
    }
  }
  return root;
}

export function fromFieldsV1(fields: Fields, path = ""): string[] {
  const entries = Object.entries(fields);
  if (entries.length === 0) return path === "" ? [] : [path];
  return entries.flatMap(([step, below]) =>
    fromFieldsV1(below as Fields, path === "" ? step : `${path}${SEPARATOR}${step}`),
  );
}

const isWriter = (entry: ManagedFields, writer: Writer) =>
  entry.manager === writer.manager &&
  entry.operation === writer.operation &&
  entry.subresource === writer.subresource;

/** Without the paths that are not `kept`; undefined where nothing is left. */
function narrow(entry: ManagedFields, kept: (path: string) => boolean): ManagedFields | undefined {
  const paths = fromFieldsV1(entry.fieldsV1);
  const left = paths.filter(kept);
  if (left.length === paths.length) return entry;
  return left.length === 0 ? undefined : { ...entry, fieldsV1: toFieldsV1(left) };
}

/**
 * `metadata.managedFields` after a write: what it sets is the writer's; what it removes is
 * nobody's, and leaves no trace of the writer.
 */
export function managedAfter(
  before: KubeObject | undefined,
  after: Draft,
  writer: Writer,
): readonly ManagedFields[] {
  const was = before === undefined ? new Map<string, unknown>() : leavesOf(before);
  const is = leavesOf(after);
  const set = new Set(
    [...is].filter(([path, value]) => !isEqual(was.get(path), value)).map(([path]) => path),
  );
  const entries = before?.metadata.managedFields ?? [];
  const own = entries.find((entry) => isWriter(entry, writer));
  const others = entries
    .filter((entry) => entry !== own)
    .map((entry) => narrow(entry, (path) => is.has(path) && !set.has(path)))
    .filter((entry) => entry !== undefined);
  const kept = own === undefined ? [] : fromFieldsV1(own.fieldsV1).filter((path) => is.has(path));
  if (set.size === 0) {
    const same = own === undefined ? undefined : narrow(own, (path) => is.has(path));
    return same === undefined ? others : [...others, same];
  }
  return [...others, entryOf(after.apiVersion, writer, new Set([...kept, ...set]))];
}

export function entryOf(
  apiVersion: string,
  { manager, operation, subresource, time }: Writer,
  paths: Iterable<string>,
): ManagedFields {
  return {
    manager,
    operation,
    apiVersion,
    ...(subresource === undefined ? {} : { subresource }),
    time,
    fieldsType: "FieldsV1",
    fieldsV1: toFieldsV1(paths),
  };
}
