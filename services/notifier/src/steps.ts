import process from "node:process";

/** Boundaries between two effects, where a test may end the process. */
export const STEPS = [
  "event-joined",
  "group-sealed",
  "notification-written",
  "group-emptied",
  "turn-added",
  "answered",
  "outcome-written",
  "outcome-published",
  "record-removed",
] as const;
export type Step = (typeof STEPS)[number];

/**
 * For tests of sudden death: `ROLLCAST_TEST_KILL_AT=<step>[:<n>]` kills this process with SIGKILL when it reaches the step for the nth time (1 unless told).
 * Without it, and in production, a step costs a function call and does nothing.
 */
export function testSteps(env: Readonly<Record<string, string | undefined>>): (step: Step) => void {
  const wanted = env.ROLLCAST_TEST_KILL_AT;
  if (wanted === undefined || wanted === "") return () => undefined;
  const [name, times = "1"] = wanted.split(":");
  let left = Number(times);
  return (step) => {
    if (step === name && --left === 0) process.kill(process.pid, "SIGKILL");
  };
}
