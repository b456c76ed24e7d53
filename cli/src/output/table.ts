/** A cell: its text and its style on a terminal. */
export type Cell = { readonly text: string; readonly style?: Style };
export type Style = "good" | "bad" | "warn" | "dim";
export type Row = readonly (string | Cell)[];

export type Look = {
  /** Columns of the terminal; infinite turns wrapping off. */
  readonly width: number;
  readonly paint: (text: string, style: Style | "head") => string;
};

const GAP = 2;
const MIN_LAST = 16;
const MIN_CUT = 6;

function cellOf(cell: string | Cell): Cell {
  return typeof cell === "string" ? { text: cell } : cell;
}

/** Foreign text without the characters that could control a terminal. */
export function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is taken out
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Wraps at blanks, and inside words that are longer than a line. */
export function wrap(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    let rest = word;
    if (line !== "" && line.length + 1 + rest.length <= width) {
      line += ` ${rest}`;
      continue;
    }
    if (line !== "") lines.push(line);
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    line = rest;
  }
  return [...lines, line];
}

/**
 * Widths of the columns: as wide as their texts if they fit, else the widest are cut. The last
 * column takes the rest and is wrapped.
 */
function widths(rows: readonly (readonly Cell[])[], count: number, total: number): number[] {
  const natural = Array.from({ length: count }, (_, i) =>
    Math.max(...rows.map((row) => row[i]?.text.length ?? 0)),
  );
  const before = natural.slice(0, -1);
  const last = natural.at(-1) ?? 0;
  const room = total - GAP * (count - 1) - Math.min(last, MIN_LAST);
  while (before.reduce((sum, width) => sum + width, 0) > room && Math.max(...before) > MIN_CUT) {
    const widest = before.indexOf(Math.max(...before));
    before[widest] = (before[widest] ?? 0) - 1;
  }
  const used = before.reduce((sum, width) => sum + width + GAP, 0);
  return [...before, Math.max(MIN_LAST, total - used)];
}

/** The lines of a table: the head, then the rows. */
export function tableLines(head: readonly string[], rows: readonly Row[], look: Look): string[] {
  const cells = rows.map((row) =>
    row.map(cellOf).map((cell) => ({ ...cell, text: clean(cell.text) })),
  );
  const all = [head.map(cellOf), ...cells];
  const columns = widths(all, head.length, look.width);
  const lineOf = (row: readonly Cell[], isHead: boolean): string[] => {
    const last = wrap(row.at(-1)?.text ?? "", columns.at(-1) ?? MIN_LAST);
    const start = row.slice(0, -1).map((cell, i) => {
      const text = cut(cell.text, columns[i] ?? 0);
      const style = isHead ? ("head" as const) : cell.style;
      const padding = " ".repeat((columns[i] ?? 0) - text.length + GAP);
      return `${style === undefined ? text : look.paint(text, style)}${padding}`;
    });
    const indent = columns.slice(0, -1).reduce((sum, width) => sum + width + GAP, 0);
    const style = isHead ? ("head" as const) : row.at(-1)?.style;
    return last.map((text, i) => {
      const painted = style === undefined ? text : look.paint(text, style);
      return `${i === 0 ? start.join("") : " ".repeat(indent)}${painted}`.trimEnd();
    });
  };
  return [...lineOf(head.map(cellOf), true), ...cells.flatMap((row) => lineOf(row, false))];
}
