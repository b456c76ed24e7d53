import type { Queue } from "@rollcast/shared/config/queues";
import type { QueueData, QueueOutcome } from "@rollcast/shared/operation-events";
import type { Halt, OperationsOptions, QueueStatus } from "./queue-status.ts";
import { OperationError, origin, untilText } from "./updater.ts";
import type { By, Updater } from "./updater.ts";
import {
  LiveLimits,
  ROLLCAST,
  SETTINGS,
  isEmpty,
  lasting,
  settingsKey,
} from "../model/control-entry.ts";
import type { Settings } from "../model/control-entry.ts";

/** The limits among live settings, as events list them; unlimited ones are omitted. */
function limitsOf(settings: Settings): NonNullable<QueueData["limits"]> {
  const { concurrency, rateLimit, maxRolling, maxRollingPerNamespace } = settings;
  return {
    concurrency: concurrency?.value,
    rateLimit: rateLimit?.value,
    maxRolling: maxRolling?.value,
    maxRollingPerNamespace: maxRollingPerNamespace?.value,
  };
}

function parseLimits(limits: LiveLimits): LiveLimits {
  const parsed = LiveLimits.safeParse(limits);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") ?? "";
    throw new OperationError("Invalid", `${where || "the limits"}: ${issue?.message ?? "wrong"}`);
  }
  const given = Object.values(parsed.data).filter((value) => value !== undefined);
  if (given.length === 0) throw new OperationError("Invalid", "no limit is named");
  return parsed.data;
}

export function queueOperations(
  options: OperationsOptions,
  updater: Updater,
  listHalts: () => Halt[],
) {
  const { cluster, queues, cache, admission } = options;
  const settingsOf = (name: string) => {
    const entry = cache.get(settingsKey(cluster, name))?.value;
    return entry?.type === "settings" ? entry : undefined;
  };
  const statusOf = (file: Queue): QueueStatus => {
    const { name } = file;
    const quotaUses = Object.entries(admission.state(name).rolling);
    return {
      name,
      file,
      live: lasting(settingsOf(name), Date.now()),
      effective: admission.settings(name),
      rolling: quotaUses.map(([workload, { rollout, since }]) => ({ workload, rollout, since })),
      halts: listHalts().filter((candidate) => candidate.queue === name),
    };
  };
  const find = (name: string) => {
    const file = queues.find((candidate) => candidate.name === name);
    if (file !== undefined) return file;
    const names = queues.map((candidate) => candidate.name).join(", ");
    throw new OperationError("NotFound", `no queue is named so; there are: ${names}`);
  };
  /** Writes the unexpired settings as changed by `edit`, with the event of that. */
  const change = async (
    file: Queue,
    outcome: QueueOutcome,
    who: { by: string; until?: number; reason?: string },
    edit: (settings: Settings) => Settings | undefined,
  ) => {
    const { name: queue } = file;
    const { by, until, reason } = who;
    await updater.update(settingsKey(cluster, queue), (before) => {
      const existing = before?.type === "settings" ? before : {};
      const settings = edit(existing);
      if (settings === undefined || (isEmpty(settings) && isEmpty(existing))) return undefined;
      const limits = outcome === "updated" ? { limits: limitsOf(settings) } : {};
      const why = reason === undefined ? {} : { reason };
      const data = { queue, by, ...untilText(until), ...limits, ...why };
      return {
        next: isEmpty(settings) ? null : { ...settings, v: 1, type: "settings", queue },
        operation: { domain: "queue", outcome, data },
      };
    });
    return statusOf(file);
  };
  return {
    listQueues: (): QueueStatus[] => queues.map(statusOf),
    async setQueue(name: string, limits: LiveLimits, who: By): Promise<QueueStatus> {
      const file = find(name);
      const from = origin(who);
      const given = Object.entries(parseLimits(limits))
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, { value, ...from }]);
      return change(file, "updated", from, (before) => ({
        ...lasting(before, Date.now()),
        ...(Object.fromEntries(given) as Settings),
      }));
    },
    async pauseQueue(name: string, who: By): Promise<QueueStatus> {
      const from = origin(who);
      return change(find(name), "paused", from, (before) => ({
        ...lasting(before, Date.now()),
        paused: { value: true, ...from },
      }));
    },
    async resumeQueue(name: string, who: By): Promise<QueueStatus> {
      return change(find(name), "resumed", origin(who), ({ paused, ...others }) =>
        paused === undefined ? undefined : others,
      );
    },
    async resetQueue(name: string, who: By): Promise<QueueStatus> {
      return change(find(name), "reset", origin(who), () => ({}));
    },
    async expire(): Promise<void> {
      const itself = { by: ROLLCAST, reason: "Expired" };
      for (const file of queues) {
        const existing = settingsOf(file.name);
        if (existing === undefined) continue;
        const kept = lasting(existing, Date.now());
        const over = SETTINGS.filter(
          (name) => existing[name] !== undefined && kept[name] === undefined,
        );
        if (over.length === 0) continue;
        const outcome = over.some((name) => name !== "paused") ? "updated" : "resumed";
        await change(file, outcome, itself, (before) => {
          const next = lasting(before, Date.now());
          return SETTINGS.some((name) => before[name] !== undefined && next[name] === undefined)
            ? next
            : undefined;
        });
      }
    },
  };
}
