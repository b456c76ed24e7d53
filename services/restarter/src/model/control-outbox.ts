import { stableId } from "@rollcast/shared/events";
import { isEmpty } from "./control-entry.ts";
import type { ControlEntry, LiveSettings, OperationEvent } from "./control-entry.ts";

/** So many events of one entry wait to be published: a newer one takes the place of the oldest. */
export const MAX_OUTBOX = 50;

/**
 * What stays of a removed entry until its events are published: settings that set nothing. Whoever
 * reads it, earlier versions too, finds neither a freeze nor a limit.
 */
export const REMOVED: LiveSettings = { v: 1, type: "settings", queue: "" };

type Outcome<Event> = Event extends OperationEvent ? Omit<Event, "id" | "time"> : never;
/** What happened to an entry: an outcome and its data. */
export type Operation = Outcome<OperationEvent>;

type Change<Entry> = {
  readonly key: string;
  readonly before: ControlEntry | undefined;
  readonly next: Entry;
  readonly operation: Operation;
  /** Milliseconds since the epoch. */
  readonly now: number;
};

/** The entry to write for a change, with the event of it and those of `before`. Pure. */
export function withEvent<Entry extends ControlEntry>(change: Change<Entry>): Entry {
  const { key, before, next, operation, now } = change;
  const id = stableId(key, operation.outcome, String(now), JSON.stringify(operation.data));
  const outbox = [...(before?.outbox ?? []), { ...operation, id, time: now }];
  return { ...next, outbox: outbox.slice(-MAX_OUTBOX) };
}

/**
 * The entry when events with these ids are published: null if nothing is left of it, undefined if
 * it holds none of them. Pure.
 */
export function withoutEvents(
  entry: ControlEntry | undefined,
  ids: ReadonlySet<string>,
): ControlEntry | null | undefined {
  const { outbox, ...rest } = entry ?? {};
  const left = outbox?.filter(({ id }) => !ids.has(id));
  if (entry === undefined || left === undefined || left.length === outbox?.length) return undefined;
  if (left.length > 0) return { ...entry, outbox: left };
  return entry.type === "settings" && isEmpty(entry) ? null : (rest as ControlEntry);
}
