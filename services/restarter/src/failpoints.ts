import process from "node:process";

/** A place where a test may kill this process. */
export type Failpoint =
  | "record-read"
  | "slot-taken"
  | "pending-written"
  | "patched"
  | "manifest-written"
  | "deleted"
  | "created"
  | "started-published"
  | "rolling-written"
  | "end-written"
  | "end-published";

/**
 * For tests of sudden death: `ROLLCAST_TEST_KILL_AT=<step>[:<n>]` kills this process with SIGKILL when it reaches the step for the nth time (1 unless told).
 * Without it, and in production, a step costs a function call and does nothing.
 */
export function openFailpoints(
  env: Readonly<Record<string, string | undefined>>,
): (failpoint: Failpoint) => void {
  const wanted = env.ROLLCAST_TEST_KILL_AT;
  if (wanted === undefined || wanted === "") return () => undefined;
  const [name, times = "1"] = wanted.split(":");
  let left = Number(times);
  return (failpoint) => {
    if (failpoint === name && --left === 0) process.kill(process.pid, "SIGKILL");
  };
}
