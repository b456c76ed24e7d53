import { setTimeout as sleep } from "node:timers/promises";
import { withDeadline } from "@rollcast/async/deadline";

export type WaitOptions = {
  /** Milliseconds; default 30 s. */
  timeout?: number;
  /** What was waited for, for the error. */
  message?: string;
  /** Milliseconds between looks; default 50. */
  every?: number;
};

/**
 * Looks until `look` gives something other than undefined or false, and returns it. Throws after
 * the timeout with the last error or the message, also where a look does not end.
 */
export async function waitFor<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  options: WaitOptions = {},
): Promise<T> {
  const deadline = Date.now() + (options.timeout ?? 30_000);
  let last: unknown;
  for (;;) {
    try {
      const result = await withDeadline(Math.max(0, deadline - Date.now()), (async () => look())());
      last = undefined;
      if (result !== undefined && result !== false) return result;
    } catch (err) {
      last = err;
    }
    if (Date.now() >= deadline) {
      throw new Error(`waited in vain for ${options.message ?? "a condition"}`, { cause: last });
    }
    await sleep(options.every ?? 50);
  }
}
