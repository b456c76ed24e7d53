import { createHash } from "node:crypto";
import { stableId } from "@rollcast/shared/events";
import type { SourceKind } from "@rollcast/shared/events";
import { z } from "zod";
import { WHOLE_OBJECT } from "@rollcast/shared/records";
import type { SourceRecord } from "@rollcast/shared/records";
import { dig } from "@rollcast/kube/object";
import type { PodTemplate } from "@rollcast/kube/workloads/kind";
import type { Keys } from "./source-references.ts";
import type { Rules } from "./rules.ts";
import { targetContainer } from "./target-container.ts";
import type { Workload } from "./workload.ts";

/** Identifies a source: `<kind>/<namespace>/<name>`. */
export type SourceKey = `${string}/${string}/${string}`;

/** The keys of a source that a workload uses, and their combined digest. */
export const Content = z.object({
  keys: z.union([z.literal("*"), z.array(z.string()).readonly()]),
  /** `<id of the installation key>.<32 hex digits>`, {@link ABSENT}, or {@link UNKNOWN}. */
  digest: z.string(),
  /**
   * For {@link ABSENT}: absent since this time (ms since the epoch). Pods may lack a later change.
   */
  since: z.number().optional(),
});
export type Content = z.infer<typeof Content>;

/** The source did not exist. */
export const ABSENT = "absent";
/** Pods may run content from before a change; any present content is newer. */
export const UNKNOWN = "unknown";

export function sourceKey(kind: string, namespace: string, name: string): SourceKey {
  return `${kind}/${namespace}/${name}`;
}

/** Splits a source key into its parts. */
export function splitSourceKey(key: SourceKey): {
  kind: SourceKind;
  namespace: string;
  name: string;
} {
  const [kind = "", namespace = "", name = ""] = key.split("/");
  return { kind: kind as SourceKind, namespace, name };
}

/**
 * The digest of the used keys: SHA-256, cut to 128 bits, over the sorted pairs of key and key
 * digest (null if the source lacks the key), prefixed with the id of the installation key. Digests
 * made under different installation keys are not comparable.
 */
export function contentDigest(source: SourceRecord | undefined, keys: Keys): string {
  if (source === undefined || source.deletedAt !== undefined) return ABSENT;
  const used = keys === "*" ? Object.keys(source.digests).toSorted() : keys;
  const pairs = used.map((key) => [
    key,
    Object.hasOwn(source.digests, key)
      ? source.digests[key]
      : // An object with too many keys has one digest for all of them.
        (source.digests[WHOLE_OBJECT] ?? null),
  ]);
  const hash = createHash("sha256").update(JSON.stringify(pairs)).digest("hex").slice(0, 32);
  return `${source.keyId}.${hash}`;
}

/** Whether two digests were made under the same installation key. */
export function comparable(a: string, b: string): boolean {
  const keyOf = (digest: string) => (digest.includes(".") ? digest.split(".", 1)[0] : undefined);
  const [left, right] = [keyOf(a), keyOf(b)];
  return left === undefined || right === undefined || left === right;
}

/** A hash that is equal for equal sources, keys and digests. */
export function contentsHash(contents: Readonly<Record<string, Content>>): string {
  const pairs = Object.entries(contents)
    .map(([key, { keys, digest }]) => [key, keys, digest] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return stableId(JSON.stringify(pairs));
}

/** The annotation on the pod template that records the content its pods started with. */
export const MARKER = "rollcast.dev/config";
const AGAIN = "again";
const MAX_MARKER = 65_536;

function shortKey(key: SourceKey, namespace: string): string {
  const [kind, sourceNamespace, name] = key.split("/");
  return sourceNamespace === namespace ? `${kind}/${name}` : key;
}

/**
 * The marker: compact JSON `{"<kind>/<name>": "<digest of the keys used>"}` with sorted keys
 * (`<kind>/<namespace>/<name>` for another namespace). It holds no time, so writing it twice
 * changes nothing. `again` makes a marker that differs from the one a rollback left on the template
 * for the same content. It is the generation being replaced, so a retry writes the same marker.
 */
export function formatMarker(
  contents: Readonly<Record<SourceKey, { digest: string }>>,
  namespace: string,
  again?: number,
): string {
  const pairs = Object.entries(contents)
    .filter(([, content]) => content.digest !== ABSENT && content.digest !== UNKNOWN)
    .map(([key, content]) => [shortKey(key as SourceKey, namespace), content.digest] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    ...Object.fromEntries(pairs),
    ...(again === undefined ? {} : { [AGAIN]: String(again) }),
  });
}

/**
 * What a record keeps of the marker on the pod template, to see that somebody changed it. A restart
 * by its time leaves none there.
 */
export function markerHash({ marker, rollBy }: Pick<Workload, "marker" | "rollBy">): string {
  return marker === undefined || rollBy !== "patch" ? "" : stableId(marker);
}

const SECOND_MS = 1_000;

/**
 * The time (RFC 3339, whole seconds) that a pod must be younger than to have the change made at
 * `changedAt` (ms since the epoch): the end of that second. It differs from `present`, because
 * writing the same time again would restart nothing.
 */
export function restartTime(changedAt: number, present: string | undefined): string {
  const seconds = Math.ceil(changedAt / SECOND_MS);
  const write = (at: number) => new Date(at * SECOND_MS).toISOString().replace(".000Z", "Z");
  return write(seconds) === present ? write(seconds + 1) : write(seconds);
}

/** Digests by source from the marker on a pod template; empty if it is not our marker. */
export function parseMarker(text: string | undefined, namespace: string): Map<SourceKey, string> {
  const digests = new Map<SourceKey, string>();
  if (text === undefined || text.length > MAX_MARKER) return digests;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return digests;
  }
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return digests;
  for (const [key, digest] of Object.entries(raw)) {
    const parts = key.split("/");
    if (typeof digest !== "string" || !/^[a-z0-9]+\.[0-9a-f]{32}$/.test(digest)) continue;
    const [kind = "", second = "", third] = parts;
    if (parts.length === 2) digests.set(sourceKey(kind, namespace, second), digest);
    else if (parts.length === 3 && third !== undefined) {
      digests.set(sourceKey(kind, second, third), digest);
    }
  }
  return digests;
}

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

/** Whether Reloader has restarted the pods since these marks: its marks have changed. */
export function reloaderRestarted(workload: Pick<Workload, "marks">, marks: string): boolean {
  return workload.marks.reloader !== "" && workload.marks.reloader !== marks;
}
