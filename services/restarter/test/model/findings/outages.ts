import type { Facts } from "../oracle/facts.ts";

/**
 * Whether the quota of a rollout was released before its record was written: its process had stood
 * still for longer than one that is killed would need to be replaced.
 */
export function isQuotaReleasedEarly({ history }: Facts, place: number): boolean {
  const reserved = new Map<string, number>();
  return history.slice(0, place).some((entry, i) => {
    if (entry.type === "control" && entry.entry?.type === "state") {
      const ids = new Set(Object.values(entry.entry.rolling).map(({ rollout }) => rollout));
      for (const id of ids) if (!reserved.has(id)) reserved.set(id, i);
      return false;
    }
    if (entry.type !== "record" || entry.record?.phase !== "pending") return false;
    const { id = "" } = entry.record.rollout ?? {};
    return history
      .slice(reserved.get(id) ?? i, i)
      .some(
        (other) =>
          other.type === "control" &&
          other.entry?.type === "state" &&
          !Object.values(other.entry.rolling).some(({ rollout }) => rollout === id),
      );
  });
}
