import { dig } from "@rollcast/kube/object";
import type { PodTemplate } from "@rollcast/kube/workloads/kind";
import type { SourceKind } from "@rollcast/shared/events";
import { stableId } from "@rollcast/shared/events";
import type { Rules } from "./rules.ts";
import { targetContainer } from "./target-container.ts";
import type { Workload } from "./workload.ts";

/** Where Reloader's strategy `annotations` leaves its mark on the pod template. */
export const LAST_RELOADED_FROM = "reloader.stakater.com/last-reloaded-from";

/** A variable in which Reloader's strategy `env-vars`, or we in its stead, left a mark. */
export type MarkVariable = {
  readonly index: number;
  readonly name: string;
  readonly ours: boolean;
};

/** What is needed of the containers to write and remove variables, in the order of the pod template. */
export type MarkedContainer = {
  readonly name: string;
  readonly hasEnv: boolean;
  readonly variables: readonly MarkVariable[];
};

export type Marks = {
  /** Empty where none has a mark and none is to be written. */
  readonly containers: readonly MarkedContainer[];
  /** Per source (`<kind>/<name>`) that is used by another container than the first: its index. */
  readonly targets: Readonly<Record<string, number>>;
  readonly lastReloadedFrom: "none" | "ours" | "reloader";
  /** Hash of the marks that are Reloader's own; empty where there is none. Another one means that Reloader restarted the pods. */
  readonly reloader: string;
};

const VARIABLE = /^STAKATER_[A-Z0-9_]*_(?:CONFIGMAP|SECRET|SECRETPROVIDERCLASS)$/;
const SHA1 = /^[0-9a-f]{40}$/;
/** A digest of ours, `<id of the installation key>.<128 bits>`: what tells our marks from Reloader's. */
const OURS = /^[a-z0-9]+\.[0-9a-f]{32}$/;

/** The name of Reloader's variable for a source, as its `ConvertToEnvVarName` makes it; two names may give the same. */
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
  const found = env.flatMap((one, index) => {
    if (!isMark(one)) return [];
    const { name, value } = one as { name: string; value: string };
    return [{ index, name, value, ours: OURS.test(value) }];
  });
  const name = dig(container, "name");
  return {
    name: typeof name === "string" ? name : "",
    hasEnv: Array.isArray(dig(container, "env")),
    variables: found.map(({ index, name: variable, ours }) => ({ index, name: variable, ours })),
    foreign: found.filter(({ ours }) => !ours).map((one) => `${one.name}=${one.value}`),
  };
}

/** Reads the marks of a pod template; with what the strategy `env-vars` needs for writing its own. */
export function readMarks(template: PodTemplate | undefined, strategy: Rules["strategy"]): Marks {
  const read = list(dig(template, "spec", "containers")).map(readContainer);
  const lastReloaded = lastReloadedFrom(template);
  const foreign = read.flatMap((one) => one.foreign);
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

/** The pod template without Reloader's marks, its own and ours: what an edit by somebody is seen by. */
export function withoutMarks(template: PodTemplate | undefined): PodTemplate | undefined {
  const containers = list(dig(template, "spec", "containers"));
  const annotated = lastReloadedFrom(template) !== "none";
  const marked = containers.some((one) => list(dig(one, "env")).some(isMark));
  if (template === undefined || (!annotated && !marked)) return template;
  const { [LAST_RELOADED_FROM]: _, ...rest } = template.metadata?.annotations ?? {};
  const clean = containers.map((one) => {
    const env = list(dig(one, "env"));
    if (!env.some(isMark)) return one;
    const { env: __, ...others } = one as { env: unknown };
    const kept = env.filter((variable) => !isMark(variable));
    return kept.length === 0 ? others : { ...others, env: kept };
  });
  return {
    ...template,
    metadata: { ...template.metadata, annotations: rest },
    ...(template.spec === undefined ? {} : { spec: { ...template.spec, containers: clean } }),
  };
}

/** Whether Reloader has restarted the pods since its marks were these: it left others. */
export function reloaderRestarted(workload: Pick<Workload, "marks">, marks: string): boolean {
  return workload.marks.reloader !== "" && workload.marks.reloader !== marks;
}
