import type { ChangedKeys } from "@rollcast/shared/events";
import type { Editor, ObservedSource } from "./transform.ts";
import type { Circumstances } from "./observation.ts";

/** managedFields' times are whole seconds, cut. */
const SECOND_MS = 999;

/** A change that was made less than this before it was seen was seen happening. */
const LIVE_MS = 2_000;

type ChangeTime = { changedAt: number; changedWithin: number };

/** Who set one of the added or changed keys to what it is; the newest of several. */
export function setterOf(keys: ChangedKeys, { editors }: ObservedSource): Editor | undefined {
  const set = [...keys.added, ...keys.changed];
  return editors.find((editor) => set.some((key) => editor.keys?.has(key) ?? true));
}

/**
 * When the change happened. An editor's time counts only for keys that it set: removing one leaves the times as they were. Where the change was seen
 * happening our clock is more exact; where nothing better is known, now, which is never too early.
 */
export function changeTime(setter: Editor | undefined, at: Circumstances): ChangeTime {
  const editedAt = setter?.time;
  const live =
    at.origin === "watch" && (editedAt === undefined || Math.abs(at.now - editedAt) < LIVE_MS);
  if (editedAt === undefined || live) return { changedAt: at.now, changedWithin: 0 };
  return { changedAt: editedAt, changedWithin: SECOND_MS };
}

/** For a source without a known past: its data was edited after it was created. */
export function editedAfterCreation({ editors, createdAt }: ObservedSource): Partial<ChangeTime> {
  const time = editors[0]?.time;
  if (time === undefined || time <= createdAt) return {};
  return { changedAt: time, changedWithin: SECOND_MS };
}
