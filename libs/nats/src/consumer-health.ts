import type { HealthSource } from "@rollcast/runtime/health/service-health";
import type { Consuming } from "./consume.ts";

/** How a consumer of events is; `now` gives milliseconds since the epoch. */
export function consumerHealth(
  consumer: Pick<Consuming, "lastHeard" | "inFlightMs">,
  now: () => number,
): HealthSource {
  return {
    progress: () => [
      { what: "events: nothing received", ms: now() - consumer.lastHeard() },
      { what: "events: one is being handled", ms: consumer.inFlightMs() },
    ],
  };
}
