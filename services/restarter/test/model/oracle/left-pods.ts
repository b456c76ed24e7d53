import type { OutboxEvent } from "../../../src/model/workload-record.ts";

/** Why pods keep their template until their owner deletes them. */
const OWNERS = new Set(["OnDelete", "Partition"]);
const COUNT = /^(\d+) of \d+ pods/;

/** The names that a success lists of pods that wait for their owner. */
export function namedIn(message: string): string[] {
  const [, list] = /: (.+)$/.exec(message) ?? [];
  return list?.split(", ") ?? [];
}

/**
 * What a success does not say of the pods that keep older content, as docs/kinds.md promises: that
 * they wait for their owner, and their names, or their number where the names are not known.
 */
export function leftOutOf({ data }: OutboxEvent, old: readonly string[]): string[] {
  if (old.length === 0) return [];
  const { reason = "", message = "" } = data;
  if (!OWNERS.has(reason)) return [`succeeded (${reason}), but ${old[0]} keeps older content`];
  const named = namedIn(message);
  if (named.length === 0 && Number(COUNT.exec(message)?.[1] ?? 0) >= old.length) return [];
  return old
    .filter((name) => !named.includes(name))
    .map((name) => `succeeded (${reason}), but its message does not name ${name}`)
    .slice(0, 1);
}
