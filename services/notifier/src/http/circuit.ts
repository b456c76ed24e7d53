import type { SendResult } from "./classify-answer.ts";

/**
 * Stops sending to a receiver that keeps failing, instead of trying it for every waiting
 * notification. One per receiver and process.
 */
export type Circuit = {
  /**
   * Whether an attempt may be made now: `go` (then {@link Circuit.leave} must be called), a number
   * of milliseconds to wait, or `gone` (never).
   */
  enter(now: number): "go" | "gone" | number;
  /** Records the result of the attempt; undefined when it was aborted. */
  leave(result: SendResult | undefined, now: number): void;
  state(): CircuitState;
  /**
   * While it is not closed: the reason of the last failure; else that of the last refusal, where it
   * is one of every message.
   */
  fault(): string | undefined;
};

export const CIRCUIT_STATES = ["closed", "open", "gone"] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

/** Refusals that the next message meets too, until somebody changes the configuration. */
const OF_ALL: ReadonlySet<string> = new Set([
  "AddressRefused",
  "CertificateNotTrusted",
  "Forbidden",
  "NotFound",
  "Redirect",
  "Unauthorized",
]);

const FAILURES = 5;
const FIRST_MS = 30_000;
const MAX_MS = 900_000;
const DURING_PROBE_MS = 5_000;

/**
 * Opens for 30 seconds after five consecutive failures, then lets one probe through. Each failed
 * probe doubles the time, up to 15 minutes. An answer 410 means gone, until the receiver is opened
 * from a changed configuration or the process restarts.
 */
export function createCircuit(): Circuit {
  let failures = 0;
  let openUntil: number | undefined;
  let openMs = FIRST_MS;
  let probing = false;
  let reason: string | undefined;
  /** Why it took no attempt of the last message; undefined where it took it. */
  let refusal: string | undefined;
  const isGone = () => refusal === "Gone";
  const state = () => (isGone() ? "gone" : openUntil === undefined ? "closed" : "open");
  return {
    enter(now) {
      if (isGone()) return "gone";
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
        ({ reason } = result);
        failures++;
        if (failures < FAILURES) return;
        if (openUntil !== undefined && !wasProbe) return;
        openMs = openUntil === undefined ? FIRST_MS : Math.min(openMs * 2, MAX_MS);
        openUntil = now + openMs;
        return;
      }
      // Any other result shows that the receiver is up.
      failures = 0;
      openUntil = undefined;
      refusal = result.kind === "refused" ? result.reason : undefined;
      reason = isGone() ? "Gone" : undefined;
    },
    state,
    fault() {
      if (state() !== "closed") return reason;
      return refusal !== undefined && OF_ALL.has(refusal) ? refusal : undefined;
    },
  };
}
