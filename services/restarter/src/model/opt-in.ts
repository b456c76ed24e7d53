import { ANNOTATIONS } from "@rollcast/shared/annotations";
import { SourceKind } from "@rollcast/shared/events";
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

export type OptIn = Readonly<Record<SourceKind, KindOptIn>> & {
  /** Skipped entries, each with the reason. */
  readonly faults: readonly string[];
};

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
const AUTO = ANNOTATIONS.auto.own;
const SEARCH = ANNOTATIONS.search.own;
/** Values that Go's strconv.ParseBool accepts as true; Reloader parses its switches with it. */
const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);

function readAuto(values: readonly (string | undefined)[]): KindOptIn["auto"] {
  if (values.some((value) => TRUE.has(value ?? ""))) return "yes";
  return values.every((value) => (value ?? "") === "") ? "unset" : "no";
}

function entry(text: string, rules: Rules): NamedEntry | string {
  const slash = text.indexOf("/");
  const namespace = slash < 0 ? undefined : text.slice(0, slash);
  const pattern = text.slice(slash + 1);
  if (namespace !== undefined && !rules.sharedNamespaces.has(namespace)) {
    return `names namespace ${namespace}, which reload.sharedNamespaces does not list`;
  }
  // A dot is a wildcard in a pattern: only a name without one matches just itself.
  const exact = /^[a-z0-9](?:[a-z0-9-]{0,251}[a-z0-9])?$/.test(pattern);
  const fault = exact ? undefined : rules.patterns.fault(pattern);
  if (fault !== undefined) return fault;
  return { pattern, exact, namespace };
}

function readNamed(annotation: string, text: string | undefined, rules: Rules) {
  const named: NamedEntry[] = [];
  const faults: string[] = [];
  if ((text?.length ?? 0) > MAX_LIST) faults.push(`${annotation}: is longer than ${MAX_LIST}`);
  const texts = (text ?? "").slice(0, MAX_LIST).split(",", MAX_ENTRIES + 1);
  if (texts.length > MAX_ENTRIES) faults.push(`${annotation}: has more than ${MAX_ENTRIES} names`);
  for (const part of texts.slice(0, MAX_ENTRIES)) {
    const trimmed = part.trim();
    if (trimmed === "") continue;
    const read = entry(trimmed, rules);
    if (typeof read !== "string") named.push(read);
    else faults.push(`${annotation}: "${trimmed.slice(0, 80)}" ${read}`);
  }
  return { named, faults };
}

function readKind(kind: SourceKind, own: Annotations, template: Annotations, rules: Rules) {
  const names = NAMES[kind];
  const keys = [names.named, SEARCH, AUTO, names.auto];
  const from = keys.some((name) => own[name] !== undefined) ? "workload" : "pod template";
  const speaking = from === "workload" ? own : template;
  const { named, faults } = readNamed(names.named, speaking[names.named], rules);
  const excluded = (own[names.exclude] ?? template[names.exclude] ?? "")
    .split(",", MAX_ENTRIES)
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const optIn: KindOptIn = {
    from,
    named,
    search: speaking[SEARCH] === "true",
    auto: readAuto([speaking[AUTO], speaking[names.auto]]),
    excluded,
  };
  return { optIn, faults };
}

/**
 * Reads the annotations of a workload and of its pod template (under our own names) for each kind
 * of source. As in Reloader, all four opt-in annotations come from the workload, or all from its
 * pod template. Unreadable entries are skipped and listed in `faults`.
 */
export function readOptIn(own: Annotations, template: Annotations, rules: Rules): OptIn {
  const read = SourceKind.options.map(
    (kind) => [kind, readKind(kind, own, template, rules)] as const,
  );
  const byKind = Object.fromEntries(read.map(([kind, { optIn }]) => [kind, optIn]));
  const faults = [...new Set(read.flatMap(([, optIn]) => optIn.faults))];
  return { ...(byKind as Record<SourceKind, KindOptIn>), faults };
}
