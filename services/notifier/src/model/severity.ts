export const SEVERITIES = ["info", "warning", "error"] as const;
export type Severity = (typeof SEVERITIES)[number];

const SEVERITY_OF_OUTCOME: Readonly<Record<string, Severity>> = {
  failed: "error",
  stalled: "warning",
  throttled: "warning",
};

/** The severity of an outcome (`failed`). */
export function severityOf(outcome: string): Severity {
  return SEVERITY_OF_OUTCOME[outcome] ?? "info";
}

/** Sorts the worst outcome first, then by name. */
export function compareOutcomes(a: string, b: string): number {
  const worse = SEVERITIES.indexOf(severityOf(b)) - SEVERITIES.indexOf(severityOf(a));
  if (worse !== 0 || a === b) return worse;
  return a < b ? -1 : 1;
}
