import type { Row } from "./compare.ts";

function figure(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "-" : "inf";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

export function alignedText(cells: readonly (readonly string[])[]): string {
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  return cells
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The rows for people: medians, and where a base was measured the ratio with its interval. */
export function tableOf(rows: readonly Row[]): string {
  const isCompared = rows.some(({ base }) => base !== undefined);
  const head = isCompared ? ["base", "now", "ratio", "95 %"] : ["median", "min", "max"];
  const cells = rows.map(({ name, unit, values, median, base }) => {
    const label = unit === "" ? name : `${name} (${unit})`;
    if (!isCompared) {
      return [label, figure(median), figure(Math.min(...values)), figure(Math.max(...values))];
    }
    if (base === undefined) return [label, "-", figure(median), "-", "-"];
    const { ratio, low, high } = base;
    return [
      label,
      figure(base.median),
      figure(median),
      ratio.toFixed(2),
      `${figure(low)} to ${figure(high)}`,
    ];
  });
  return alignedText([["", ...head], ...cells]);
}
