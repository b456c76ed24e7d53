import type { ControlEntry } from "../../../src/model/control-entry.ts";
import type { Facts } from "./facts.ts";

/** What operators had set, and the queues' states, at a time, and since when each is so. */
export function controlsAt(
  { history }: Facts,
  time: number,
): { readonly since: number; readonly entry: ControlEntry }[] {
  const written = new Map(
    history.flatMap((entry) =>
      entry.type === "control" && entry.at <= time ? [[entry.key, entry]] : [],
    ),
  );
  return [...written.values()].flatMap(({ at, entry }) =>
    entry === undefined ? [] : [{ since: at, entry }],
  );
}
