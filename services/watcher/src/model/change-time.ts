import type { ChangedKeys } from "@rollcast/shared/events";
import type { Editor, ObservedSource } from "./transform.ts";
import type { Circumstances } from "./observation.ts";

/** Times in managedFields are truncated to whole seconds. */
const SECOND_MS = 999;

/** A change observed within this time after the edit was observed live. */
const LIVE_MS = 2_000;

type ChangeTime = { changedAt: number; changedWithin: number };

/** The newest editor that set one of the added or changed keys. */
export function setterOf(keys: ChangedKeys, { editors }: ObservedSource): Editor | undefined {
  const set = [...keys.added, ...keys.changed];
  return editors.find((editor) => set.some((key) => editor.keys?.has(key) ?? true));
}

/**
 * When the change happened. An editor's time counts only for keys that it set, because removing a
 * key leaves the times unchanged. If the change was observed live, our clock is more exact. If
 * nothing better is known, it is now, which is never too early.
 */
export function changeTime(setter: Editor | undefined, at: Circumstances): ChangeTime {
  const editedAt = setter?.time;
  const live =
    at.origin === "watch" && (editedAt === undefined || Math.abs(at.now - editedAt) < LIVE_MS);
  if (editedAt === undefined || live) return { changedAt: at.now, changedWithin: 0 };
  return { changedAt: editedAt, changedWithin: SECOND_MS };
}

/** For a source without a record: when its data was edited after its creation. */
export function editedAfterCreation({ editors, createdAt }: ObservedSource): Partial<ChangeTime> {
  const time = editors[0]?.time;
  if (time === undefined || time <= createdAt) return {};
  return { changedAt: time, changedWithin: SECOND_MS };
}
