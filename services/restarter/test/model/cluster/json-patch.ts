import type { PatchOperation } from "@rollcast/kube/patch";
import { isEqual } from "./object.ts";
import type { Fields } from "./object.ts";
import { patchFailed } from "./status-error.ts";

type Container = Record<string, unknown> | unknown[];

function steps(path: string): string[] {
  return path
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function index(step: string, end: number): number {
  const at = Number(step);
  if (!/^\d+$/.test(step) || at > end) throw patchFailed();
  return at;
}

function read(container: unknown, step: string): unknown {
  if (Array.isArray(container)) return container[index(step, container.length - 1)];
  if (typeof container !== "object" || container === null) throw patchFailed();
  return (container as Fields)[step];
}

function add(container: Container, step: string, value: unknown): void {
  if (!Array.isArray(container)) container[step] = value;
  else if (step === "-") container.push(value);
  else container.splice(index(step, container.length), 0, value);
}

function remove(container: Container, step: string): void {
  if (read(container, step) === undefined) throw patchFailed();
  if (Array.isArray(container)) container.splice(Number(step), 1);
  else delete container[step];
}

/**
 * Applies a JSON patch, RFC 6902, as far as Rollcast and its tests use it; throws a 422 where it
 * does not apply.
 */
export function applyJsonPatch<T>(document: T, operations: readonly PatchOperation[]): T {
  const root = structuredClone(document) as Container;
  for (const { op, path, value } of operations) {
    const all = steps(path);
    const last = all.pop() ?? "";
    let at: unknown = root;
    for (const step of all) at = read(at, step);
    if (typeof at !== "object" || at === null) throw patchFailed();
    const container = at as Container;
    if (op === "test") {
      if (!isEqual(read(container, last), value)) throw patchFailed();
    } else if (op === "remove") remove(container, last);
    else if (op === "add") add(container, last, structuredClone(value));
    else {
      if (read(container, last) === undefined) throw patchFailed();
      if (Array.isArray(container)) container[Number(last)] = structuredClone(value);
      else container[last] = structuredClone(value);
    }
  }
  return root as T;
}

/** Applies a merge patch, RFC 7386. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const merged: Record<string, unknown> = isObject ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = applyMergePatch(merged[name], value);
  }
  return merged;
}
