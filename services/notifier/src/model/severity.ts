export const SEVERITIES = ["info", "warning", "error"] as const;
export type Severity = (typeof SEVERITIES)[number];

const OF_WORD: Readonly<Record<string, Severity>> = {
  failed: "error",
  stalled: "warning",
  throttled: "warning",
};

/** How bad an outcome is, by its word (`failed`). */
export function severityOf(word: string): Severity {
  return OF_WORD[word] ?? "info";
}

/** Worst first, then by name. */
export function compareWords(a: string, b: string): number {
  const worse = SEVERITIES.indexOf(severityOf(b)) - SEVERITIES.indexOf(severityOf(a));
  if (worse !== 0 || a === b) return worse;
  return a < b ? -1 : 1;
}
