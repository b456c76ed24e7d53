import { parseConfig } from "@rollcast/runtime/config/load";
import { selectorFault } from "@rollcast/shared/config/scope";
import { stringify } from "yaml";
import type { ReloaderOptions } from "./flags.ts";
import { ANNOTATION_FLAGS, NEEDLESS, isTrue, parseList, translateSelector } from "./flags.ts";

/** The equivalent configuration, and notes on what has no counterpart or another meaning. */
export type Translation = {
  readonly config: Record<string, unknown>;
  readonly notes: readonly string[];
};

type Draft = { config: Record<string, unknown>; notes: string[]; handled: Set<string> };

function scope({ flags, env }: ReloaderOptions, draft: Draft): void {
  const single = env.get("KUBERNETES_NAMESPACE");
  const namespaces = parseList(flags.get("namespaces") ?? single);
  const section: Record<string, unknown> = namespaces.length === 0 ? {} : { namespaces };
  const global = namespaces.length === 0;
  const ignored = parseList(flags.get("namespaces-to-ignore"));
  if (ignored.length > 0 && global) section.ignoreNamespaces = ignored;
  for (const [flag, key] of [
    ["namespace-selector", "namespaceSelector"],
    ["resource-label-selector", "resourceSelector"],
  ] as const) {
    const text = flags.get(flag);
    if (text === undefined || text === "") continue;
    const translated = translateSelector(text);
    const fault = selectorFault(translated);
    if (fault !== undefined) draft.notes.push(`--${flag}: ${fault}`);
    else if (global || key === "resourceSelector") section[key] = translated;
  }
  const kinds = parseList(flags.get("resources-to-ignore")).map((resource) =>
    resource.toLowerCase() === "secrets" ? "Secret" : "ConfigMap",
  );
  if (kinds.length > 0) section.ignoreKinds = kinds;
  if (!global && (ignored.length > 0 || (flags.get("namespace-selector") ?? "") !== "")) {
    draft.notes.push(
      "namespaces to ignore and their selector count for nothing beside a list of namespaces",
    );
  }
  for (const flag of [
    "namespaces",
    "namespaces-to-ignore",
    "namespace-selector",
    "resource-label-selector",
    "resources-to-ignore",
  ]) {
    draft.handled.add(flag);
  }
  if (Object.keys(section).length > 0) draft.config.scope = section;
}

function reload({ flags }: ReloaderOptions, draft: Draft): void {
  const section: Record<string, unknown> = {};
  if (isTrue(flags.get("auto-reload-all"))) section.auto = true;
  // Reloader compares these two with the text "true".
  if (flags.get("reload-on-create") === "true") section.onCreate = true;
  if (flags.get("reload-on-delete") === "true") section.onDelete = true;
  if (flags.get("reload-strategy") === "annotations") section.strategy = "reloader-annotations";
  else {
    draft.notes.push(
      "reload.strategy is left at marker; set reloader-env-vars where something reads the STAKATER_ variables",
    );
  }
  const types = parseList(flags.get("ignored-workload-types"));
  if (types.length > 0) section.ignoredWorkloadTypes = types;
  const annotations = Object.entries(ANNOTATION_FLAGS).flatMap(([flag, key]) => {
    draft.handled.add(flag);
    const name = flags.get(flag);
    return name === undefined || name === "" ? [] : [[key, name]];
  });
  if (annotations.length > 0) section.annotations = Object.fromEntries(annotations);
  for (const flag of [
    "auto-reload-all",
    "reload-on-create",
    "reload-on-delete",
    "reload-strategy",
    "ignored-workload-types",
  ]) {
    draft.handled.add(flag);
  }
  if (Object.keys(section).length > 0) draft.config.reload = section;
}

function rest({ flags, env }: ReloaderOptions, draft: Draft): void {
  const level = flags.get("log-level");
  draft.handled.add("log-level");
  const levels: Readonly<Record<string, string>> = {
    warning: "warn",
    fatal: "error",
    panic: "error",
  };
  const logLevel = levels[level ?? ""] ?? level;
  if (logLevel !== undefined && logLevel !== "info" && logLevel !== "") {
    draft.config.log = { level: logLevel };
  }
  if ((flags.get("webhook-url") ?? "") !== "") {
    draft.handled.add("webhook-url");
    draft.notes.push(
      "--webhook-url: Reloader posts instead of reloading; here set mode: observe and a webhook receiver",
    );
  }
  if (env.get("ALERT_ON_RELOAD") === "true") {
    const sink = env.get("ALERT_SINK") ?? "webhook";
    draft.notes.push(`ALERT_ON_RELOAD with sink ${sink}: add a receiver to notifier.receivers`);
  }
  for (const [flag, why] of Object.entries(NEEDLESS)) {
    if (flags.has(flag)) draft.notes.push(`--${flag}: not needed, ${why}`);
    draft.handled.add(flag);
  }
  for (const flag of flags.keys()) {
    if (flag.startsWith("leader-election-")) {
      draft.notes.push(`--${flag}: not needed, there is no leader`);
    } else if (!draft.handled.has(flag)) draft.notes.push(`--${flag}: has no counterpart`);
  }
}

/** Translates the setup. `cluster` is the name that rollcast.yaml must have. */
export function translate(setup: ReloaderOptions, cluster: string): Translation {
  const draft: Draft = { config: {}, notes: [], handled: new Set() };
  scope(setup, draft);
  reload(setup, draft);
  rest(setup, draft);
  const head = { apiVersion: "rollcast.dev/v1", kind: "Config", cluster };
  return { config: { ...head, ...draft.config }, notes: draft.notes };
}

/** Renders rollcast.yaml with the notes as comments; throws if it is invalid. */
export function renderConfig({ config, notes }: Translation): string {
  const text = stringify(config);
  parseConfig(text, "the translated configuration");
  return [...notes.map((note) => `# ${note}`), text].join("\n");
}
