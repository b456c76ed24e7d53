import process from "node:process";
import type { Env } from "./config/load.ts";

/**
 * For crash tests: the function to call at each named point between two side effects.
 * `ROLLCAST_TEST_KILL_AT=<failpoint>[:<n>]` kills this process with SIGKILL when it reaches the
 * failpoint for the nth time (default 1). `ROLLCAST_TEST_STOP_AT=<failpoint>,<failpoint>` stops it
 * with SIGSTOP when it first reaches each, so that a test can kill something else meanwhile.
 * Without them, and in production, it does nothing.
 */
export function openFailpoints(env: Env): (failpoint: string) => void {
  const { ROLLCAST_TEST_KILL_AT: killAt = "", ROLLCAST_TEST_STOP_AT: stopAt = "" } = env;
  if (killAt === "" && stopAt === "") return () => undefined;
  const [name, times = "1"] = killAt.split(":");
  const stops = new Set(stopAt.split(","));
  let left = Number(times);
  return (failpoint) => {
    if (failpoint === name && --left === 0) process.kill(process.pid, "SIGKILL");
    if (stops.delete(failpoint)) process.kill(process.pid, "SIGSTOP");
  };
}
