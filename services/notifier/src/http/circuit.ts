import type { SendResult } from "./send-result.ts";

/** Keeps a receiver that does not answer from being asked by every message that waits for it. One a receiver and process. */
export type Circuit = {
  /** Whether a try may be made now: `go` (then {@link Circuit.leave} must follow), so many milliseconds later, or never again (`gone`). */
  enter(now: number): "go" | "gone" | number;
  /** What came of it; undefined where the try was broken off. */
  leave(result: SendResult | undefined, now: number): void;
  state(): CircuitState;
};

export const CIRCUIT_STATES = ["closed", "open", "gone"] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

const FAILURES = 5;
const FIRST_MS = 30_000;
const MAX_MS = 900_000;
const DURING_PROBE_MS = 5_000;

/**
 * Opens after five straight failures for 30 seconds, then lets one probe through; each probe that fails doubles the time, up to 15 minutes. A 410 closes the receiver
 * for as long as this process runs: it is read again from the configuration at the next start.
 */
export function createCircuit(): Circuit {
  let failures = 0;
  let openUntil: number | undefined;
  let openMs = FIRST_MS;
  let probing = false;
  let gone = false;
  return {
    enter(now) {
      if (gone) return "gone";
      if (openUntil === undefined) return "go";
      if (now < openUntil) return openUntil - now;
      if (probing) return DURING_PROBE_MS;
      probing = true;
      return "go";
    },
    leave(result, now) {
      const wasProbe = probing;
      probing = false;
      if (result === undefined || result.kind === "later") return;
      if (result.kind === "failed") {
        failures++;
        if (failures < FAILURES) return;
        if (openUntil !== undefined && !wasProbe) return;
        openMs = openUntil === undefined ? FIRST_MS : Math.min(openMs * 2, MAX_MS);
        openUntil = now + openMs;
        return;
      }
      // Whatever it says, it is there.
      failures = 0;
      openUntil = undefined;
      gone = result.kind === "refused" && result.reason === "gone";
    },
    state: () => (gone ? "gone" : openUntil === undefined ? "closed" : "open"),
  };
}
