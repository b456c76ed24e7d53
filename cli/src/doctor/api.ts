import type { StatusView } from "@rollcast/shared/api/restarter";
import { ok, todo } from "./finding.ts";
import type { Finding } from "./finding.ts";

const STALE_SECONDS = 600;
const MANY_EVENTS = 1_000;

/** What the restarter says of itself. */
export function checkApi(status: StatusView): Finding[] {
  const { instance, faults, watchStalenessSeconds: stale, eventsPending = 0, states } = status;
  const who = `${instance} of ${status.cluster}, mode ${status.mode}`;
  const failed = (states.failed ?? 0) + (states.halted ?? 0);
  return [
    ...(faults.length === 0
      ? [ok("restarter", `${who}, has no fault`)]
      : faults.map((fault) => todo("restarter", fault, `look at the log of ${instance}`))),
    stale === undefined || stale > STALE_SECONDS
      ? todo("watches", "they prove no delivery", `look at the log of ${instance}`)
      : ok("watches", `proved to deliver ${Math.round(stale)} s ago`),
    eventsPending > MANY_EVENTS
      ? todo(
          "events",
          `${eventsPending} wait to be planned`,
          "is Redis reachable for the restarter?",
        )
      : ok("events", `${eventsPending} wait to be planned`),
    failed > 0
      ? todo("workloads", `${failed} failed or halted`, "rollcast status names them")
      : ok("workloads", `${status.mayRoll} may roll, none failed or halted`),
  ];
}
