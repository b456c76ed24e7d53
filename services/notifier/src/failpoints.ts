import process from "node:process";

/** Boundaries between two effects, where a test may end the process. */
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
  "letter-revived",
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/**
 * For tests of sudden death: `ROLLCAST_TEST_KILL_AT=<step>[:<n>]` kills this process with SIGKILL when it reaches the step for the nth time (1 unless told);
 * `ROLLCAST_TEST_STOP_AT=<step>,<step>` stops it with SIGSTOP when it first reaches each, so that something else can be killed meanwhile.
 * Without them, and in production, a step costs a function call and does nothing.
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
