import { annotationReader } from "@rollcast/shared/annotations";
import type { Reload } from "@rollcast/shared/config/reload";
import { createNamePatterns } from "./name-patterns.ts";
import type { NamePatterns } from "./name-patterns.ts";

/** The configured rules on which workloads roll for which sources. Built once, in restarter.ts. */
export type Rules = Pick<
  Reload,
  "auto" | "onCreate" | "onDelete" | "strategy" | "imagePullSecrets"
> & {
  readonly ignoredWorkloadTypes: ReadonlySet<string>;
  readonly sharedNamespaces: ReadonlySet<string>;
  /** Kinds that are watched themselves: objects they own roll through them. */
  readonly ownerKinds: ReadonlySet<string>;
  readonly patterns: NamePatterns;
  /** Returns an object's annotations under our own names. */
  readonly annotations: (annotations: unknown) => Readonly<Record<string, string>>;
};

export function createRules(reload: Reload, kinds: readonly string[]): Rules {
  return {
    auto: reload.auto,
    onCreate: reload.onCreate,
    onDelete: reload.onDelete,
    strategy: reload.strategy,
    imagePullSecrets: reload.imagePullSecrets,
    ignoredWorkloadTypes: new Set(reload.ignoredWorkloadTypes),
    sharedNamespaces: new Set(reload.sharedNamespaces),
    ownerKinds: new Set(kinds),
    patterns: createNamePatterns(),
    annotations: annotationReader(reload.annotations),
  };
}
