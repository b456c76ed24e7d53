import process from "node:process";
import type { Env } from "@rollcast/runtime/config/load";

/**
 * The failpoints of the outbox: a process that dies at any of them must neither lose nor duplicate
 * an event.
 */
export const FAILPOINTS = ["before-put", "after-put", "after-publish", "after-published"] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/**
 * Returns the function to call at each failpoint. Tests name one in `ROLLCAST_TEST_KILL_AT`
 * (`after-put`, or `after-put:3` for the third pass); there the process kills itself with SIGKILL.
 * Without the variable the function does nothing.
 */
export function openFailpoints(env: Env): (failpoint: Failpoint) => void {
  const text = env.ROLLCAST_TEST_KILL_AT;
  if (text === undefined || text === "") return () => undefined;
  const [name, count = "1"] = text.split(":");
  let left = Number(count);
  return (failpoint) => {
    if (failpoint !== name) return;
    left--;
    if (left === 0) process.kill(process.pid, "SIGKILL");
  };
}
