/**
 * What a scrape brought of a series: a whole number; `stale` where the series was there at the
 * scrape before and is not any more; undefined where nothing was recorded.
 */
export type Cell = number | "stale" | undefined;

function countSame(cells: readonly Cell[], from: number, step: number): number {
  let count = 0;
  for (let i = from; i + 1 < cells.length; i++) {
    const [now, next] = [cells[i], cells[i + 1]];
    if (typeof now !== "number" || typeof next !== "number" || next - now !== step) break;
    count++;
  }
  return count;
}

function countMissing(cells: readonly Cell[], from: number): number {
  let count = 0;
  while (from + count < cells.length && cells[from + count] === undefined) count++;
  return count;
}

function signed(step: number): string {
  return step < 0 ? `${step}` : `+${step}`;
}

/** The next token, and how many cells it stands for. */
function nextToken(cells: readonly Cell[], from: number): [token: string, length: number] {
  const cell = cells[from];
  if (cell === "stale") return ["stale", 1];
  if (cell === undefined) {
    const count = countMissing(cells, from);
    return [count === 1 ? "_" : `_x${count}`, count];
  }
  const following = cells[from + 1];
  const step = typeof following === "number" ? following - cell : 0;
  const more = countSame(cells, from, step);
  if (step === 0 && more > 0) return [`${cell}x${more}`, more + 1];
  if (more > 1) return [`${cell}${signed(step)}x${more}`, more + 1];
  return [`${cell}`, 1];
}

/**
 * A series in promtool's notation, an entry for each scrape; what is missing at the end is left
 * out. https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series
 */
export function notationOf(cells: readonly Cell[]): string {
  const kept = cells.slice(0, cells.findLastIndex((cell) => cell !== undefined) + 1);
  const tokens: string[] = [];
  for (let i = 0; i < kept.length;) {
    const [token, length] = nextToken(kept, i);
    tokens.push(token);
    i += length;
  }
  return tokens.join(" ");
}
