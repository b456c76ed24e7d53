/** What a check remembers for the next one, of one process. */
export type Memory = {
  /** Names the process as no other, not even one with its number after it. */
  readonly process: string;
  /** Whether it was ever live. */
  readonly live: boolean;
  /** Checks that failed in a row. */
  readonly failures: number;
  /** When the first of them was; milliseconds of a clock that only goes on. */
  readonly since: number;
  /** When the process was asked to end. */
  readonly endedAt?: number;
};

/** All in milliseconds. */
export type HealthLimits = {
  /** How long a service that was live may fail. */
  readonly endAfterMs: number;
  /** How long one that never was may take to start. */
  readonly startWithinMs: number;
  /** How long one that was asked to end may take. */
  readonly graceMs: number;
};

export type HealthObservation = {
  readonly process: string;
  /** Whether `/livez` said so. */
  readonly live: boolean;
  /** Of the clock of {@link Memory.since}. */
  readonly now: number;
  readonly memory: Memory | undefined;
};

export type HealthDecision = {
  readonly memory: Memory;
  readonly signal?: "SIGTERM" | "SIGKILL";
  /** For people: what is done, or will be. */
  readonly note?: string;
};

/** So that one long pause of the machine between two checks ends nothing. */
const MIN_FAILURES = 3;

const seconds = (ms: number) => `${Math.round(ms / 1_000)} s`;

/**
 * What is remembered of this process: not of one before it, and nothing of before the machine's
 * start.
 */
function recall({ process, now, memory }: HealthObservation): Memory {
  if (memory?.process === process && memory.since <= now) return memory;
  return { process, live: false, failures: 0, since: now };
}

/**
 * Whether a process is to be ended, as a kubelet would by a liveness probe: gracefully, and with
 * force where it does not end.
 */
export function decideHealth(observation: HealthObservation, limits: HealthLimits): HealthDecision {
  const { live, now } = observation;
  const before = recall(observation);
  if (before.endedAt !== undefined) {
    const ms = now - before.endedAt;
    return ms < limits.graceMs
      ? { memory: before, note: `the service was asked to end ${seconds(ms)} ago` }
      : { memory: before, signal: "SIGKILL", note: `killed: it did not end within ${seconds(ms)}` };
  }
  if (live) {
    const memory = { ...before, live: true, failures: 0 };
    return { memory };
  }
  const failures = before.failures + 1;
  const since = failures === 1 ? now : before.since;
  const memory = { ...before, failures, since };
  const ms = now - since;
  const [limit, what] = before.live
    ? [limits.endAfterMs, "not live"]
    : [limits.startWithinMs, "not live since its start"];
  if (ms < limit || failures < MIN_FAILURES) {
    return { memory, note: `${what} for ${seconds(ms)}, ended after ${seconds(limit)}` };
  }
  const note = `${what} for ${seconds(ms)}: asked to end, so that it is started again`;
  return { memory: { ...memory, endedAt: now }, signal: "SIGTERM", note };
}
