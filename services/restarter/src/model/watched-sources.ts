import type { SourceKind } from "@rollcast/shared/events";
import { sourceKey } from "./content.ts";
import type { SourceKey } from "./content.ts";
import type { Rules } from "./rules.ts";
import type { Workload } from "./workload.ts";

/** Whether any source could ever roll this workload. If not, the index keeps nothing of it. */
export function mayRoll(
  workload: Pick<Workload, "kind" | "owner" | "optIn" | "references" | "workloadRef">,
  rules: Rules,
): boolean {
  if (workload.workloadRef !== undefined) return false;
  if (rules.ignoredWorkloadTypes.has(`${workload.kind.toLowerCase()}s`)) return false;
  if (workload.owner !== undefined && rules.ownerKinds.has(workload.owner.kind)) return false;
  const named = (["ConfigMap", "Secret", "SecretProviderClass"] as const).some(
    (kind) => workload.optIn[kind].named.length > 0,
  );
  return (
    named ||
    workload.references.some(({ kind }) => {
      const { search, auto } = workload.optIn[kind];
      return search || auto === "yes" || (auto === "unset" && rules.auto);
    })
  );
}

/**
 * The sources, by name, that may roll the workload, whatever their own annotations say. Patterns
 * add more: {@link patternsOf}.
 */
export function watchedSources(workload: Workload): SourceKey[] {
  const keys = new Set<SourceKey>();
  for (const { kind, name } of workload.references) {
    keys.add(sourceKey(kind, workload.namespace, name));
  }
  for (const kind of ["ConfigMap", "Secret", "SecretProviderClass"] as const) {
    for (const { pattern, exact, namespace } of workload.optIn[kind].named) {
      if (exact) keys.add(sourceKey(kind, namespace ?? workload.namespace, pattern));
    }
  }
  return [...keys];
}

/** A name pattern in one namespace. */
export type SourcePattern = {
  readonly kind: SourceKind;
  readonly namespace: string;
  readonly pattern: string;
};

/** The name patterns in the workload's annotations. */
export function patternsOf(workload: Workload): SourcePattern[] {
  return (["ConfigMap", "Secret", "SecretProviderClass"] as const).flatMap((kind) =>
    workload.optIn[kind].named
      .filter(({ exact }) => !exact)
      .map(({ pattern, namespace }) => ({
        kind,
        namespace: namespace ?? workload.namespace,
        pattern,
      })),
  );
}
