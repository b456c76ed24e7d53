import { firstFailure, liveness } from "./liveness.ts";
import type { ProgressCheck } from "./liveness.ts";
import type { Check } from "./health-server.ts";

/** A part of a service that says how it is. */
export type HealthSource = {
  /** Why it cannot do its work now. */
  readonly ready?: Check;
  /**
   * Why what it needs outside does not answer. It is not ready then, and what stalls meanwhile is
   * no reason for a restart.
   */
  readonly outage?: Check;
  /** What of it makes progress by itself when all is well. */
  readonly progress?: () => readonly ProgressCheck[] | Promise<readonly ProgressCheck[]>;
  /** What somebody should know though it is ready. */
  readonly notes?: () => readonly string[];
};

/** The parts of a service by the names that `/readyz` shows; a part added again replaces itself. */
export type HealthSources = Readonly<Record<string, HealthSource>>;

/** How a service is, from what its parts say. */
export type ServiceHealth = {
  add(sources: HealthSources): void;
  /** The service is started: until then it is not ready. */
  started(): void;
  /** What has stalled though nothing outside is at fault. */
  readonly stalled: Check;
  /** The checks behind `/readyz` and `/livez`, by name. */
  ready(): Readonly<Record<string, Check>>;
  live(): Readonly<Record<string, Check>>;
  /** Lines behind the `ok` of `/readyz`. */
  notes(): string[];
};

/**
 * Collects the parts of one service. `stallTimeoutMs` as in {@link liveness}; `outage`: why what
 * every service needs does not answer.
 */
export function createServiceHealth(stallTimeoutMs: number, outage: Check): ServiceHealth {
  const sources = new Map<string, HealthSource>([["start", { ready: () => "not started" }]]);
  const all = () => [...sources.values()];
  const stalled = liveness({
    stallTimeoutMs,
    suppressedBy: () => firstFailure([outage(), ...all().map((source) => source.outage?.())]),
    progress: async () =>
      (await Promise.all(all().map(({ progress }) => progress?.() ?? []))).flat(),
  });
  return {
    add(added) {
      for (const [name, source] of Object.entries(added)) sources.set(name, source);
    },
    started: () => void sources.delete("start"),
    stalled,
    ready() {
      const checks = [...sources].flatMap(([name, source]) => {
        const check = source.outage ?? source.ready;
        return check === undefined ? [] : [[name, check] as const];
      });
      return Object.fromEntries(checks);
    },
    live: () => ({ work: stalled }),
    notes: () => all().flatMap(({ notes }) => [...(notes?.() ?? [])]),
  };
}
