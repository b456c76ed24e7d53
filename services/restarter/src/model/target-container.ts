import { dig } from "@rollcast/kube/object";
import type { PodTemplate } from "@rollcast/kube/workloads/kind";
import { containerReferences, volumeReferences } from "./source-references.ts";

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/**
 * The container that mounts the volume: its index in `containers`, 0 if an init container mounts
 * it, undefined if none does.
 */
function mounting(spec: unknown, volume: unknown): number | undefined {
  const mounts = (container: unknown) =>
    list(dig(container, "volumeMounts")).some((mount) => dig(mount, "name") === volume);
  const at = list(dig(spec, "containers")).findIndex(mounts);
  if (at >= 0) return at;
  return list(dig(spec, "initContainers")).some(mounts) ? 0 : undefined;
}

/**
 * The container whose environment Reloader marks for each source (`<kind>/<name>`), unless it is
 * the first one: the first container that mounts the first volume of the source, else the first
 * that uses it in its environment. For an init container it is the first container.
 */
export function targetContainer(template: PodTemplate | undefined): Record<string, number> {
  const spec = template?.spec;
  const targets = new Map<string, number>();
  const tried = new Set<string>();
  for (const volume of list(dig(spec, "volumes"))) {
    for (const { kind, name } of volumeReferences(volume)) {
      const source = `${kind}/${name}`;
      // Reloader considers only the first volume of a source.
      if (tried.has(source)) continue;
      tried.add(source);
      const at = mounting(spec, dig(volume, "name"));
      if (at !== undefined) targets.set(source, at);
    }
  }
  const containers = list(dig(spec, "containers"));
  for (const [at, container] of containers.entries()) {
    for (const { kind, name } of containerReferences(container)) {
      const source = `${kind}/${name}`;
      if (!targets.has(source)) targets.set(source, at);
    }
  }
  return Object.fromEntries([...targets].filter(([, at]) => at > 0));
}
