import { stableId } from "@rollcast/shared/events";
import type { SourceKind } from "@rollcast/shared/events";
import { dig } from "@rollcast/kube/object";
import type { PodTemplate } from "@rollcast/kube/workloads/kind";
import type { Rules } from "./rules.ts";
import { targetContainer } from "./target-container.ts";

/** Where Reloader's strategy `annotations` writes its mark on the pod template. */
export const LAST_RELOADED_FROM = "reloader.stakater.com/last-reloaded-from";

/** A variable with a mark of Reloader's strategy `env-vars`, written by Reloader or by us. */
type MarkVariable = {
  readonly index: number;
  readonly name: string;
  readonly ours: boolean;
};

/** Container data needed to write and remove variables, in pod template order. */
type MarkedContainer = {
  readonly name: string;
  readonly hasEnv: boolean;
  readonly variables: readonly MarkVariable[];
};

export type Marks = {
  /** Empty if no container has a mark and none is to be written. */
  readonly containers: readonly MarkedContainer[];
  /** Index of the container to mark, by source (`<kind>/<name>`), if it is not the first. */
  readonly targets: Readonly<Record<string, number>>;
  readonly lastReloadedFrom: "none" | "ours" | "reloader";
  /**
   * Hash of the marks that Reloader wrote; empty if there are none. A different hash means that
   * Reloader restarted the pods.
   */
  readonly reloader: string;
};

const VARIABLE = /^STAKATER_[A-Z0-9_]*_(?:CONFIGMAP|SECRET|SECRETPROVIDERCLASS)$/;
const SHA1 = /^[0-9a-f]{40}$/;
/**
 * One of our digests, `<id of the installation key>.<128 bits>`; distinguishes our marks from
 * Reloader's.
 */
const OURS = /^[a-z0-9]+\.[0-9a-f]{32}$/;

/**
 * Reloader's variable name for a source (its `ConvertToEnvVarName`); two sources may share a name.
 */
export function variableName(kind: SourceKind, name: string): string {
  const upper = name
    .toUpperCase()
    .replace(/^[^A-Z0-9]+/, "")
    .replaceAll(/[^A-Z0-9]+/g, "_");
  return `STAKATER_${upper}_${kind.toUpperCase()}`;
}

type EnvVar = { readonly name?: unknown; readonly value?: unknown };

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isMark(variable: unknown): boolean {
  const { name, value } = (variable ?? {}) as EnvVar;
  if (typeof name !== "string" || typeof value !== "string") return false;
  return VARIABLE.test(name) && (SHA1.test(value) || OURS.test(value));
}

function lastReloadedFrom(template: PodTemplate | undefined): Marks["lastReloadedFrom"] {
  const text = dig(template, "metadata", "annotations", LAST_RELOADED_FROM);
  if (typeof text !== "string") return "none";
  try {
    const hash = dig(JSON.parse(text), "hash");
    return typeof hash === "string" && OURS.test(hash) ? "ours" : "reloader";
  } catch {
    return "reloader";
  }
}

function readContainer(container: unknown): MarkedContainer & { foreign: string[] } {
  const env = list(dig(container, "env"));
  const markVariables = env.flatMap((variable, index) => {
    if (!isMark(variable)) return [];
    const { name, value } = variable as { name: string; value: string };
    return [{ index, name, value, ours: OURS.test(value) }];
  });
  const name = dig(container, "name");
  return {
    name: typeof name === "string" ? name : "",
    hasEnv: Array.isArray(dig(container, "env")),
    variables: markVariables.map(({ index, name: variable, ours }) => ({
      index,
      name: variable,
      ours,
    })),
    foreign: markVariables
      .filter(({ ours }) => !ours)
      .map((variable) => `${variable.name}=${variable.value}`),
  };
}

/** Reads the marks of a pod template, with what the strategy `env-vars` needs to write its own. */
export function readMarks(template: PodTemplate | undefined, strategy: Rules["strategy"]): Marks {
  const read = list(dig(template, "spec", "containers")).map(readContainer);
  const lastReloaded = lastReloadedFrom(template);
  const foreign = read.flatMap((container) => container.foreign);
  if (lastReloaded === "reloader") {
    foreign.push(String(dig(template, "metadata", "annotations", LAST_RELOADED_FROM)));
  }
  const needed = strategy !== "marker" || read.some(({ variables }) => variables.length > 0);
  return {
    containers: needed
      ? read.map(({ name, hasEnv, variables }) => ({ name, hasEnv, variables }))
      : [],
    targets: strategy === "marker" ? {} : targetContainer(template),
    lastReloadedFrom: lastReloaded,
    reloader: foreign.length === 0 ? "" : stableId(...foreign),
  };
}

/** The pod template without any Reloader marks, ours included; used to detect edits by others. */
export function withoutMarks(template: PodTemplate | undefined): PodTemplate | undefined {
  const containers = list(dig(template, "spec", "containers"));
  const annotated = lastReloadedFrom(template) !== "none";
  const marked = containers.some((container) => list(dig(container, "env")).some(isMark));
  if (template === undefined || (!annotated && !marked)) return template;
  const { [LAST_RELOADED_FROM]: _, ...rest } = template.metadata?.annotations ?? {};
  const clean = containers.map((container) => {
    const env = list(dig(container, "env"));
    if (!env.some(isMark)) return container;
    const { env: __, ...others } = container as { env: unknown };
    const kept = env.filter((variable) => !isMark(variable));
    return kept.length === 0 ? others : { ...others, env: kept };
  });
  return {
    ...template,
    metadata: { ...template.metadata, annotations: rest },
    ...(template.spec === undefined ? {} : { spec: { ...template.spec, containers: clean } }),
  };
}
