import type { Check } from "./health-server.ts";

/** Something that goes on by itself where all is well (`ConfigMap: nothing consumed`), and for how many milliseconds it has not. */
export type Sign = { readonly what: string; readonly ms: number };

export type Liveness = {
  stillAfterMs: number;
  /** Why work cannot go on that no restart would mend, e.g. NATS does not answer. */
  explained: () => string | undefined | Promise<string | undefined>;
  signs: () => readonly Sign[] | Promise<readonly Sign[]>;
};

/**
 * A check for `/livez`: names what stands still for longer than `stillAfterMs` though nothing outside explains it. A restart mends a process that is stuck; done for
 * an outage it would only add to it.
 */
export function liveness({ stillAfterMs, explained, signs }: Liveness): Check {
  return async () => {
    if ((await explained()) !== undefined) return undefined;
    const still = (await signs()).filter(({ ms }) => ms > stillAfterMs);
    if (still.length === 0) return undefined;
    return still.map(({ what, ms }) => `${what} for ${Math.round(ms / 1_000)} s`).join("; ");
  };
}

/** The first fault of several checks, asked at once. */
export async function firstFault(
  checks: readonly (string | undefined | Promise<string | undefined>)[],
): Promise<string | undefined> {
  return (await Promise.all(checks)).find((fault) => fault !== undefined);
}
