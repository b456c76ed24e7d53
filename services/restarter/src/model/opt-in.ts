import { ANNOTATIONS } from "@rollcast/shared/annotations";
import { SourceKind } from "@rollcast/shared/events";
import { annotationFault, exactFault, parseBool } from "./annotation-values.ts";
import type { AnnotationFault } from "./annotation-values.ts";
import type { Rules } from "./rules.ts";

/**
 * One entry of a list of names. `pattern` applies to the workload's own namespace, or to
 * `namespace`.
 */
export type NamedEntry = {
  readonly pattern: string;
  readonly namespace?: string;
  /** The pattern is a plain name that matches only itself. */
  readonly exact: boolean;
};

/** What a workload's annotations say about sources of one kind. */
export type KindOptIn = {
  /** Where the annotations are. Reloader reads the pod template only if the workload has none. */
  readonly from: "workload" | "pod template";
  readonly named: readonly NamedEntry[];
  readonly search: boolean;
  /** Combines `auto` and the kind's own `auto`: true, any other value, or unset. */
  readonly auto: "yes" | "no" | "unset";
  readonly excluded: readonly string[];
};

export type OptIn = Readonly<Record<SourceKind, KindOptIn>>;

type Annotations = Readonly<Record<string, string>>;

const MAX_ENTRIES = 500;
const MAX_LIST = 65_536;
const NAMES = {
  ConfigMap: {
    auto: ANNOTATIONS.configMapAuto.own,
    named: ANNOTATIONS.configMap.own,
    exclude: ANNOTATIONS.configMapExclude.own,
  },
  Secret: {
    auto: ANNOTATIONS.secretAuto.own,
    named: ANNOTATIONS.secret.own,
    exclude: ANNOTATIONS.secretExclude.own,
  },
  SecretProviderClass: {
    auto: ANNOTATIONS.secretProviderClassAuto.own,
    named: ANNOTATIONS.secretProviderClass.own,
    exclude: ANNOTATIONS.secretProviderClassExclude.own,
  },
} as const;
/** The annotation that names sources of a kind. */
export function namedAnnotation(kind: SourceKind): string {
  return NAMES[kind].named;
}

const AUTO = ANNOTATIONS.auto.own;
const SEARCH = ANNOTATIONS.search.own;
/** What no name of an object has; an entry with it matches none if it is no pattern. */
const NEVER_IN_NAME = /[^a-z0-9.-]|^-|-$/;
const PATTERN_SYNTAX = /[\\^$|?*+()[\]{}]/;
/** As every name of a source is: a DNS subdomain. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

function readAuto(values: readonly (string | undefined)[]): KindOptIn["auto"] {
  if (values.some((value) => parseBool(value ?? "") === true)) return "yes";
  return values.every((value) => (value ?? "") === "") ? "unset" : "no";
}

function autoFault(annotation: string, value = ""): AnnotationFault | undefined {
  if (value === "" || parseBool(value) !== undefined) return undefined;
  return annotationFault(annotation, value, "is neither true nor false, and counts as false");
}

function entry(text: string, rules: Rules): NamedEntry | string {
  const slash = text.indexOf("/");
  const namespace = slash < 0 ? undefined : text.slice(0, slash);
  const pattern = text.slice(slash + 1);
  if (namespace !== undefined && !rules.sharedNamespaces.has(namespace)) {
    return `names namespace ${namespace}, which reload.sharedNamespaces does not list`;
  }
  if (NEVER_IN_NAME.test(pattern) && !PATTERN_SYNTAX.test(pattern)) {
    return "is what nothing can be called";
  }
  // A dot is a wildcard in a pattern: only a name without one matches just itself.
  const exact = /^[a-z0-9](?:[a-z0-9-]{0,251}[a-z0-9])?$/.test(pattern);
  const fault = exact ? undefined : rules.patterns.fault(pattern);
  if (fault !== undefined) return fault;
  return { pattern, exact, namespace };
}

/** Each entry of a list as `read` returns it, or the sentence in which it says what is wrong. */
function readList<T extends object>(
  annotation: string,
  text: string,
  read: (entry: string) => T | string,
) {
  const entries: T[] = [];
  const faults: AnnotationFault[] = [];
  const bounded =
    text.length > MAX_LIST ? text.slice(0, Math.max(0, text.lastIndexOf(",", MAX_LIST))) : text;
  const texts = bounded.split(",", MAX_ENTRIES + 1);
  if (bounded !== text || texts.length > MAX_ENTRIES) {
    const limit = `is longer than ${MAX_ENTRIES} names or ${MAX_LIST} characters`;
    faults.push(annotationFault(annotation, text, `${limit}: the rest is passed over`));
  }
  for (const part of texts.slice(0, MAX_ENTRIES)) {
    const trimmed = part.trim();
    if (trimmed === "") continue;
    const result = read(trimmed);
    if (typeof result !== "string") entries.push(result);
    else faults.push(annotationFault(annotation, trimmed, `${result}: it is passed over`));
  }
  return { entries, faults };
}

function readKind(kind: SourceKind, own: Annotations, template: Annotations, rules: Rules) {
  const names = NAMES[kind];
  const keys = [names.named, SEARCH, AUTO, names.auto];
  const from = keys.some((name) => own[name] !== undefined) ? "workload" : "pod template";
  const speaking = from === "workload" ? own : template;
  const named = readList(names.named, speaking[names.named] ?? "", (text) => entry(text, rules));
  const exclusions = own[names.exclude] ?? template[names.exclude] ?? "";
  const excluded = readList(names.exclude, exclusions, (name) =>
    NAME.test(name) ? { name } : "is no name, and patterns do not count here",
  );
  const optIn: KindOptIn = {
    from,
    named: named.entries,
    search: speaking[SEARCH] === "true",
    auto: readAuto([speaking[AUTO], speaking[names.auto]]),
    excluded: excluded.entries.map(({ name }) => name),
  };
  const faults = [
    autoFault(AUTO, speaking[AUTO]),
    autoFault(names.auto, speaking[names.auto]),
    exactFault(SEARCH, speaking[SEARCH]),
    ...named.faults,
    ...excluded.faults,
  ];
  return { optIn, faults: faults.filter((fault) => fault !== undefined) };
}

/**
 * Reads the annotations of a workload and of its pod template (under our own names) for each kind
 * of source. As in Reloader, all four opt-in annotations come from the workload, or all from its
 * pod template. Unreadable entries are skipped and listed in `faults`.
 */
export function readOptIn(
  own: Annotations,
  template: Annotations,
  rules: Rules,
): { readonly optIn: OptIn; readonly faults: readonly AnnotationFault[] } {
  const read = SourceKind.options.map(
    (kind) => [kind, readKind(kind, own, template, rules)] as const,
  );
  const optIn = Object.fromEntries(read.map(([kind, each]) => [kind, each.optIn])) as OptIn;
  // What is wrong with an annotation for all kinds is found for each.
  const faults = new Map(
    read.flatMap(([, each]) => each.faults.map((fault) => [JSON.stringify(fault), fault] as const)),
  );
  return { optIn, faults: [...faults.values()] };
}
