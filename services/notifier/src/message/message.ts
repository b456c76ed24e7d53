import type { RolloutEvent } from "@rollcast/shared/events";
import { factsOf, groupFacts, unique, outcomeOf, workloadName } from "./facts.ts";
import type { Fact } from "./facts.ts";
import { nextCommands } from "./next-commands.ts";
import type { NotificationRecord } from "../model/notification-record.ts";
import { compareOutcomes, severityOf } from "../model/severity.ts";
import type { Severity } from "../model/severity.ts";

/** What people on call read and machines may parse; each receiver renders it in its own format. */
export type Message = {
  /** The same for all attempts. */
  readonly id: string;
  readonly cluster: string;
  /** The outcome that all events share (`failed`), or `mixed`. */
  readonly outcome: string;
  readonly severity: Severity;
  readonly title: string;
  /** The facts as lines, or the rendered template. */
  readonly text: string;
  readonly facts: readonly Fact[];
  /** Whether `text` comes from a template and replaces the facts. */
  readonly custom: boolean;
  /** Commands to run next, most important first. */
  readonly next: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly events: readonly RolloutEvent[];
  /** When the notification was created; milliseconds since the epoch. */
  readonly createdAt: number;
};

const NEXT_COMMANDS = 4;

const TITLE: Readonly<Record<string, (what: string) => string>> = {
  planned: (what) => `Rollout planned: ${what}`,
  deferred: (what) => `Rollout deferred: ${what}`,
  throttled: (what) => `Rolled too often, slowed down: ${what}`,
  started: (what) => `Rollout started: ${what}`,
  stalled: (what) => `Rollout does not come to an end: ${what}`,
  succeeded: (what) => `Rolled out: ${what}`,
  failed: (what) => `Rollout failed: ${what}`,
  superseded: (what) => `Rollout overtaken by a newer one: ${what}`,
  cancelled: (what) => `Rollout cancelled: ${what}`,
  skipped: (what) => `Rollout skipped: ${what}`,
};

/** Builds the message of a notification; the same for every attempt. */
export function messageOf(
  record: Pick<NotificationRecord, "id" | "events" | "labels" | "createdAt">,
  cluster: string,
): Message {
  const { events } = record;
  const outcomes = unique(events.map(outcomeOf)).toSorted(compareOutcomes);
  const [worst = "mixed"] = outcomes;
  const outcome = outcomes.length === 1 ? worst : "mixed";
  const [only] = events;
  const single = only !== undefined && events.length === 1;
  const what = single ? workloadName(only) : `${unique(events.map(workloadName)).length} workloads`;
  const facts = single ? factsOf(only, cluster) : groupFacts(events, cluster);
  const title = TITLE[outcome]?.(what) ?? `Rollouts of ${what}: ${outcomes.join(", ")}`;
  const next = events
    .toSorted((a, b) => compareOutcomes(outcomeOf(a), outcomeOf(b)))
    .flatMap(nextCommands)
    .slice(0, NEXT_COMMANDS);
  return {
    id: record.id,
    cluster,
    outcome,
    severity: severityOf(worst),
    title: `${title} (${cluster})`,
    text: facts.map(({ name, value }) => `${name}: ${value}`).join("\n"),
    facts,
    custom: false,
    next,
    labels: record.labels,
    events,
    createdAt: record.createdAt,
  };
}
