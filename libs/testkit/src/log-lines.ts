/** A line of a log in JSON. */
export type LogLine = {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
};

/** The destination of a logger, and the lines that were written to it. */
export function recordLogLines(): {
  destination: { write: (line: string) => void };
  lines: LogLine[];
} {
  const lines: LogLine[] = [];
  return { destination: { write: (line) => void lines.push(JSON.parse(line) as LogLine) }, lines };
}
