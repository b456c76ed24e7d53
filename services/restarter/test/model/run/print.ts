import { sentenceOf } from "../acts/act.ts";
import type { Schedule } from "../acts/act.ts";
import { NODES, PARTITION, START, namesOf, updateOf } from "../world/config.ts";
import type { WorldConfig, WorldUpdate } from "../world/config.ts";
import type { Entry, History } from "../world/history.ts";
import type { Violation } from "../oracle/property.ts";
import type { Case } from "./shorten.ts";
import type { Run } from "./run.ts";

function timeOf(at: number): string {
  return `${((at - START) / 1_000).toFixed(3).padStart(9)} s`;
}

function objectText({ by, write }: Extract<Entry, { type: "object" }>): string | undefined {
  const { kind, metadata, spec, status } = write.object;
  const verb = { ADDED: "makes", MODIFIED: "writes", DELETED: "removes" }[write.type];
  if (kind === "ReplicaSet" && write.type === "MODIFIED") return undefined;
  if (kind === "Pod" && write.type === "MODIFIED") return undefined;
  const template = spec?.template as { metadata?: { annotations?: object } } | undefined;
  const marker = JSON.stringify(template?.metadata?.annotations ?? {});
  const more =
    template !== undefined && kind !== "ReplicaSet"
      ? ` (generation ${metadata.generation}, observed ${String(status?.observedGeneration ?? 0)}, template ${marker})`
      : "";
  return `${by} ${verb} ${kind} ${metadata.name}${more}`;
}

function textOf(entry: Entry): string | undefined {
  switch (entry.type) {
    case "act":
      return `- ${entry.text}`;
    case "note":
      return `  ${entry.text}`;
    case "object": {
      const text = objectText(entry);
      return text === undefined ? undefined : `  ${text}`;
    }
    case "event": {
      const { outcome, data } = entry.event;
      const { cause, dueAt, message, reason, workload } = data;
      const text = [
        `event ${outcome}${reason === undefined ? "" : ` (${reason})`} of ${workload.name}`,
        ...(data.rollout === undefined ? [] : [`rollout ${data.rollout}`]),
        ...(cause === undefined ? [] : [`cause ${cause.kind} ${cause.name}`]),
        ...(dueAt === undefined ? [] : [`due at ${timeOf(Date.parse(dueAt)).trim()}`]),
        ...(message === undefined ? [] : [JSON.stringify(message)]),
        ...(entry.duplicate === true ? ["again"] : []),
      ];
      return `  ${text.join(", ")}`;
    }
    case "record":
    case "restored record": {
      const { record, type } = entry;
      if (record === undefined) return `  ${type} of ${entry.key} removed`;
      const waits = record.due?.reason ?? record.failure?.reason ?? record.hold;
      const rollout = record.rollout === undefined ? "" : `, rollout ${record.rollout.id}`;
      return `  ${type} of ${record.name}: ${record.phase}${waits === undefined ? "" : ` (${waits})`}${rollout}, generation ${record.generation}`;
    }
    case "queue":
      return undefined;
    case "control":
      return entry.entry?.type === "state"
        ? `  quota in use by [${Object.keys(entry.entry.rolling).join()}], ${entry.entry.failures.length} changes failed`
        : undefined;
    case "refused":
      return `  the API server refuses: ${entry.reason}, ${entry.by}`;
    case "lost":
      // A note says it in other words.
      return undefined;
    case "stopped":
      return undefined;
  }
}

/** A history with its times, a line each. */
export function historyText(history: History): string {
  return history
    .flatMap((entry) => {
      const text = textOf(entry);
      return text === undefined ? [] : [`${timeOf(entry.at)} ${text}`];
    })
    .join("\n");
}

const UPDATES: Readonly<Record<WorldUpdate, string>> = {
  Recreate: "strategy Recreate",
  OnDelete: "update strategy OnDelete",
  Partition: `partition ${PARTITION}`,
  Restart: "restarted by Argo",
  Forbid: "concurrencyPolicy Forbid",
  Replace: "concurrencyPolicy Replace",
};

function sizeText({ kind = "Deployment", replicas }: WorldConfig): string {
  if (kind === "Job" || kind === "CronJob") return kind;
  if (kind === "DaemonSet") return `${kind} on ${NODES.length} nodes`;
  return `${kind} with ${replicas === 1 ? "1 replica" : `${replicas} replicas`}`;
}

/** A schedule as sentences. */
export function scheduleText(config: WorldConfig, schedule: Schedule): string {
  const { attempts, maxRolling, minReadySeconds, restarters, haltAfter, breaksWith } = config;
  const { deadlineSeconds } = config;
  const others = namesOf(config).slice(1);
  const update = updateOf(config);
  const given = [
    `a ${sizeText(config)} that uses ConfigMap cfg`,
    ...(update === undefined ? [] : [UPDATES[update]]),
    ...(minReadySeconds === undefined ? [] : [`minReadySeconds ${minReadySeconds}`]),
    ...(deadlineSeconds === undefined ? [] : [`activeDeadlineSeconds ${deadlineSeconds}`]),
    `${attempts === 1 ? "1 attempt" : `${attempts} attempts`} for each patch`,
    ...(restarters === undefined ? [] : [`${restarters} replicas of the restarter`]),
    ...(maxRolling === undefined ? [] : [`maxRolling ${maxRolling}`]),
    ...(haltAfter === undefined ? [] : [`haltAfter ${haltAfter}`]),
    ...(others.length === 0 ? [] : [`beside web also ${others.join(" and ")}`]),
    ...(breaksWith === undefined ? [] : [`with content ${breaksWith} of it no pod gets ready`]),
  ];
  const acts = schedule.map((act, i) => `${i + 1}. ${sentenceOf(act)}`);
  return [`Given: ${given.join(", ")}.`, ...acts].join("\n");
}

export function violationText({ property, what, workload }: Violation): string {
  const of = workload === undefined || workload.endsWith("/web") ? "" : ` (${workload})`;
  return `${property}: ${what}${of}`;
}

/** A case with what is wrong in it, for people; its last line is for `replayOf`. */
export function caseText(run: Run, violations: readonly Violation[]): string {
  const { config, schedule } = run;
  const faults = [...new Set(violations.map(violationText))].map((text) => `- ${text}`);
  return [
    scheduleText(config, schedule),
    "",
    "The oracle says:",
    ...faults,
    "",
    `${REPLAY}${JSON.stringify([config, schedule])}`,
    "",
  ].join("\n");
}

const REPLAY = "Replay: ";

/** The case in a text of `caseText`. */
export function replayOf(text: string): Case {
  const line = text.split("\n").find((each) => each.startsWith(REPLAY));
  if (line === undefined) throw new Error(`no line begins with "${REPLAY}"`);
  return JSON.parse(line.slice(REPLAY.length)) as Case;
}
