export const SEVERITIES = ["info", "warning", "error"] as const;
export type Severity = (typeof SEVERITIES)[number];

const SEVERITY_OF_OUTCOME: Readonly<Record<string, Severity>> = {
  failed: "error",
  stalled: "warning",
  throttled: "warning",
};

/** How bad an outcome is, by its word (`failed`). */
export function severityOf(outcome: string): Severity {
  return SEVERITY_OF_OUTCOME[outcome] ?? "info";
}

/** Worst first, then by name. */
export function compareOutcomes(a: string, b: string): number {
  const worse = SEVERITIES.indexOf(severityOf(b)) - SEVERITIES.indexOf(severityOf(a));
  if (worse !== 0 || a === b) return worse;
  return a < b ? -1 : 1;
}
