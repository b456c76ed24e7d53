import type { RolloutData } from "@rollcast/shared/events";

/**
 * Additional receivers for a workload's rollouts: names of receivers of the notifier, separated by
 * commas, or `none`.
 */
const NOTIFY = "rollcast.dev/notify";
const MAX_NAMES = 20;
const MAX_NAME = 63;

/**
 * The annotation as an event field. Names are passed on unchanged: only the notifier knows its
 * receivers.
 */
export function notifyOf(
  annotations: Readonly<Record<string, string>> | undefined,
): Pick<RolloutData, "notify"> {
  const names = (annotations?.[NOTIFY] ?? "")
    .split(",")
    .map((name) => name.trim().slice(0, MAX_NAME).toWellFormed())
    .filter((name) => name !== "");
  return names.length === 0 ? {} : { notify: [...new Set(names)].slice(0, MAX_NAMES) };
}
