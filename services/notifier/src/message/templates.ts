import { Liquid } from "liquidjs";
import { TEMPLATE_KEYS } from "@rollcast/shared/config/templates";
import type { TemplateKey, Templates } from "@rollcast/shared/config/templates";
import { formatDuration } from "@rollcast/shared/duration";
import { ConfigError, toError } from "@rollcast/shared/errors";
import { RolloutOutcome, stableId } from "@rollcast/shared/events";
import type { RolloutData, RolloutEvent } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import {
  compareOutcomes,
  keysText,
  messageOf,
  outcomeOf,
  unique,
  workloadName,
} from "./message.ts";
import type { Message } from "./message.ts";
import { cut } from "./text.ts";

/** Applies the configured title and text templates to a message. */
export type ApplyTemplates = (message: Message) => Message;

/** Templates and their path in the configuration, the most specific first. */
type TemplateSource = { readonly path: string; readonly templates: Templates };

/** A compiled template. Throws on an unknown variable or an exceeded limit. */
type Compiled = (variables: object) => string;

/** Maximum length of a template in characters. */
const PARSE_LIMIT = 20_000;
/**
 * Wall-clock time, which also passes while a busy node suspends this process; a good template takes
 * less than a millisecond.
 */
const RENDER_MS = 1_000;
/** Elements and characters that one rendering may create. */
const MEMORY_LIMIT = 1_000_000;
/** Tags that load other templates: there are none, and templates must not read files. */
const FILE_TAGS = ["include", "render", "layout", "block"];

/**
 * Compiles Liquid templates (https://liquidjs.com) that can access nothing but the given variables:
 * no files, no prototypes, bounded time and memory. Unknown filters and tags throw at compile time,
 * unknown variables at render time.
 */
function createLiquid(): (text: string) => Compiled {
  const engine = new Liquid({
    templates: {},
    strictFilters: true,
    strictVariables: true,
    ownPropertyOnly: true,
    parseLimit: PARSE_LIMIT,
    renderLimit: RENDER_MS,
    memoryLimit: MEMORY_LIMIT,
  });
  for (const tag of FILE_TAGS) delete engine.tags[tag];
  return (text) => {
    const parsed = engine.parse(text);
    return (variables) => String(engine.renderSync(parsed, variables));
  };
}

const LISTED = 100;

function duration(ms: number | undefined): string {
  return ms === undefined ? "" : formatDuration(ms);
}

function workloadVariables(event: RolloutEvent) {
  const { workload, reason = "", message = "", durationMs } = event.data;
  const { kind, namespace, name } = workload;
  return {
    kind,
    namespace,
    name,
    outcome: outcomeOf(event),
    reason,
    message,
    duration: duration(durationMs),
  };
}

function causeVariables(event: RolloutEvent | undefined) {
  const cause = event?.data.cause;
  return {
    kind: cause?.kind ?? "",
    namespace: cause?.namespace ?? "",
    name: cause?.name ?? "",
    keys: event === undefined ? "" : keysText(event),
    changedBy: cause?.changedBy?.manager ?? "",
    changedAt: cause?.changedAt ?? cause?.changedBy?.time ?? "",
  };
}

/**
 * The variables of a template. All of them are always set, possibly to the empty string, so that a
 * template that renders for one event renders for all. Where there are several rollouts, variables
 * about a single one describe the worst.
 */
function variablesOf(message: Message): object {
  const { cluster, outcome, severity, title, text, next } = message;
  const events = message.events.toSorted((a, b) => compareOutcomes(outcomeOf(a), outcomeOf(b)));
  const [first] = events;
  const names = unique(events.map(workloadName));
  const { kind = "", namespace = "", name = "" } = first?.data.workload ?? {};
  return {
    cluster,
    outcome,
    severity,
    title,
    text,
    next: [...next],
    count: names.length,
    workload: names.length === 1 ? (names[0] ?? "") : `${names.length} workloads`,
    kind,
    namespace,
    name,
    workloads: events.slice(0, LISTED).map(workloadVariables),
    reason: first?.data.reason ?? "",
    message: first?.data.message ?? "",
    duration: duration(first?.data.durationMs),
    affected: Math.max(0, ...events.map(({ data }) => data.affected ?? 0)),
    queue: first?.data.queue ?? "",
    cause: causeVariables(first),
  };
}

const PARTS = ["title", "text"] as const;
type Part = (typeof PARTS)[number];
type CompiledPart = { readonly compiled: Compiled; readonly path: string };

const TITLE_LIMIT = 500;
const TEXT_LIMIT = 20_000;
const FAULT_LIMIT = 300;

/** The outcomes that a template applies to. */
function outcomesOf(key: TemplateKey): (RolloutOutcome | "mixed")[] {
  const all = [...RolloutOutcome.options, "mixed"] as const;
  return all.filter((outcome) => key === "default" || key === `rollout.${outcome}`);
}

function render({ compiled }: CompiledPart, message: Message, part: Part): string {
  const text = compiled(variablesOf(message));
  return part === "title"
    ? cut(text.replaceAll(/\s+/g, " ").trim(), TITLE_LIMIT)
    : cut(text.trim(), TEXT_LIMIT);
}

function faultOf(err: unknown): string {
  return toError(err).message.replaceAll(/\s+/g, " ").slice(0, FAULT_LIMIT);
}

/** Renders the template for every sample it applies to and returns the first fault. */
function validate(template: CompiledPart, key: TemplateKey, part: Part): string | undefined {
  for (const events of outcomesOf(key).flatMap(sampleGroups)) {
    const message = messageOf({ id: "sample", events, labels: {}, createdAt: 0 }, "sample");
    try {
      if (part === "title" && render(template, message, part) === "") {
        return `renders no title for ${message.outcome}`;
      }
      render(template, message, part);
    } catch (err) {
      return faultOf(err);
    }
  }
  return undefined;
}

function compilePart(
  compile: (text: string) => Compiled,
  source: TemplateSource,
  at: { key: TemplateKey; part: Part },
): CompiledPart | string | undefined {
  const { key, part } = at;
  const text = source.templates[key]?.[part];
  if (text === undefined) return undefined;
  const path = `${source.path}["${key}"].${part}`;
  try {
    const template = { compiled: compile(text), path };
    const fault = validate(template, key, part);
    return fault === undefined ? template : `${path}: ${fault}`;
  } catch (err) {
    return `${path}: ${faultOf(err)}`;
  }
}

/**
 * Compiles the templates and renders each for samples of its events. Throws one {@link ConfigError}
 * that names every invalid template. `onFault` is called when one fails later all the same; the
 * message is then sent without it.
 */
export function compileTemplates(
  sources: readonly TemplateSource[],
  onFault: (fault: string) => void,
): ApplyTemplates {
  const compile = createLiquid();
  const parts = new Map<string, CompiledPart>();
  const faults: string[] = [];
  for (const source of sources) {
    for (const key of TEMPLATE_KEYS) {
      for (const part of PARTS) {
        const template = compilePart(compile, source, { key, part });
        if (typeof template === "string") faults.push(`  ${template}`);
        else if (template !== undefined && !parts.has(`${key} ${part}`))
          parts.set(`${key} ${part}`, template);
      }
    }
  }
  if (faults.length > 0) throw new ConfigError(`invalid templates:\n${faults.join("\n")}`);
  const pick = (message: Message, part: Part): string | undefined => {
    const template =
      parts.get(`rollout.${message.outcome} ${part}`) ?? parts.get(`default ${part}`);
    if (template === undefined) return undefined;
    try {
      return render(template, message, part);
    } catch (err) {
      onFault(`${template.path}: ${faultOf(err)}`);
      return undefined;
    }
  };
  return (message) => {
    if (parts.size === 0) return message;
    const text = pick(message, "text");
    const title = pick(message, "title") || message.title;
    return { ...message, title, ...(text === undefined ? {} : { text, custom: true }) };
  };
}

const TIME = Date.parse("2026-01-01T00:00:00.000Z");

function sample(outcome: RolloutOutcome, name: string, more: Partial<RolloutData>): RolloutEvent {
  const workload = { kind: "Deployment", namespace: "shop", name, uid: "" };
  const id = stableId("sample", outcome, name);
  const parts = { id, cluster: "sample", service: "restarter", time: TIME };
  return rolloutEvent(parts, outcome, { workload, ...more });
}

/** An event with every field set. */
export function fullSample(outcome: RolloutOutcome, name = "web"): RolloutEvent {
  return sample(outcome, name, {
    rollout: stableId("sample", name),
    queue: "default",
    cause: {
      kind: "ConfigMap",
      namespace: "shop",
      name: "web-config",
      changedKeys: { added: ["NEW_KEY"], changed: ["LOG_LEVEL"], removed: [] },
      changedBy: { manager: "kubectl-edit" },
      changedAt: "2026-01-01T00:00:00.000Z",
    },
    sources: 1,
    affected: 12,
    reason: "ProgressDeadlineExceeded",
    message: 'ReplicaSet "web-7c9f" has timed out progressing.',
    durationMs: 600_000,
    dueAt: "2026-01-01T00:10:00.000Z",
  });
}

/**
 * Events that a template may have to render: one with every field, one with the fewest, and a
 * group. `mixed`: one event of each outcome.
 */
export function sampleGroups(outcome: RolloutOutcome | "mixed"): RolloutEvent[][] {
  if (outcome === "mixed") {
    return [RolloutOutcome.options.map((outcome) => fullSample(outcome, `web-${outcome}`))];
  }
  const least = sample(outcome, "web", {});
  return [[fullSample(outcome)], [least], [fullSample(outcome), sample(outcome, "api", {})]];
}
