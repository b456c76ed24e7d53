import process from "node:process";

/** A point at which a test may kill this process. */
export type Failpoint =
  | "record-read"
  | "quota-reserved"
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
 * For crash tests: `ROLLCAST_TEST_KILL_AT=<failpoint>[:<n>]` kills this process with SIGKILL when
 * it reaches the failpoint for the nth time (default 1). If unset, as in production, a failpoint is
 * a function call that does nothing.
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
