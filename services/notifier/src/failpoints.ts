import process from "node:process";

/** The points between two side effects where a test may kill the process. */
export const FAILPOINTS = [
  "event-joined",
  "group-sealed",
  "notification-written",
  "group-emptied",
  "job-added",
  "posted",
  "answered",
  "outcome-written",
  "outcome-published",
  "record-removed",
  "letter-requeued",
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/**
 * For crash tests: `ROLLCAST_TEST_KILL_AT=<failpoint>[:<n>]` kills this process with SIGKILL when
 * it reaches the failpoint for the nth time (default 1).
 * `ROLLCAST_TEST_STOP_AT=<failpoint>,<failpoint>` stops it with SIGSTOP when it first reaches each,
 * so that a test can kill something else meanwhile. Without them, and in production, a failpoint is
 * an empty function call.
 */
export function openFailpoints(
  env: Readonly<Record<string, string | undefined>>,
): (failpoint: Failpoint) => void {
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
