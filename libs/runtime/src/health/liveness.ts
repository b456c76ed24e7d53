import type { Check } from "./health-server.ts";

/**
 * Something that makes progress by itself when all is well (`ConfigMap: nothing consumed`), and for
 * how many milliseconds it has made none.
 */
export type ProgressCheck = { readonly what: string; readonly ms: number };

export type Liveness = {
  stallTimeoutMs: number;
  /** Why a stall is expected and no restart would help, e.g. NATS does not answer. */
  suppressedBy: () => string | undefined | Promise<string | undefined>;
  progress: () => readonly ProgressCheck[] | Promise<readonly ProgressCheck[]>;
};

/**
 * A check for `/livez`: names what has been stalled for longer than `stallTimeoutMs`, unless an
 * outage outside suppresses it. A restart helps a process that is stuck; during an outage it would
 * only add to the damage.
 */
export function liveness({ stallTimeoutMs, suppressedBy, progress }: Liveness): Check {
  return async () => {
    if ((await suppressedBy()) !== undefined) return undefined;
    const stalled = (await progress()).filter(({ ms }) => ms > stallTimeoutMs);
    if (stalled.length === 0) return undefined;
    return stalled.map(({ what, ms }) => `${what} for ${Math.round(ms / 1_000)} s`).join("; ");
  };
}

/** The first fault that any of the checks reports. They run concurrently. */
export async function firstFailure(
  checks: readonly (string | undefined | Promise<string | undefined>)[],
): Promise<string | undefined> {
  return (await Promise.all(checks)).find((fault) => fault !== undefined);
}
