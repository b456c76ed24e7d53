import process from "node:process";
import { styleText } from "node:util";
import { stringify } from "yaml";
import { clean, tableLines, wrap } from "./table.ts";
import type { Look, Row, Style } from "./table.ts";

export type Format = "table" | "json" | "yaml";

/** Where a command writes what it has to say. */
export type Output = {
  readonly format: Format;
  /** A table for people. */
  table(head: readonly string[], rows: readonly Row[]): void;
  /** A line for people, wrapped under its own indent, or `hang` columns more. */
  line(text?: string, style?: Style, hang?: number): void;
  /** Writes `value` in the chosen format; `show` writes it for people. */
  result(value: unknown, show: () => void): void;
  /** One value a line, as it comes. */
  stream(value: unknown, show: () => void): void;
};

const COLOURS = { good: "green", bad: "red", warn: "yellow", dim: "dim", head: "bold" } as const;

function terminalWidth(): number {
  const columns = Number(process.env.COLUMNS);
  if (Number.isInteger(columns) && columns >= 40) return columns;
  // Output to a program is not wrapped.
  return process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
}

/** Writes to stdout, in colour only if that is a terminal and NO_COLOR is not set. */
export function createOutput(format: Format): Output {
  const write = (text: string) => process.stdout.write(`${text}\n`);
  const look: Look = {
    width: terminalWidth(),
    paint: (text, style) => styleText(COLOURS[style], text, { stream: process.stdout }),
  };
  return {
    format,
    table(head, rows) {
      for (const line of tableLines(head, rows, look)) write(line);
    },
    line(text = "", style, hang = 0) {
      const indent = /^ */.exec(text)?.[0] ?? "";
      const whole = clean(text.trimStart());
      const width = look.width - indent.length;
      const [first = ""] = wrap(whole, width);
      const rest = whole.slice(first.length).trimStart();
      const lines = rest === "" ? [first] : [first, ...wrap(rest, width - hang)];
      for (const [i, line] of lines.entries()) {
        const start = i === 0 ? indent : `${indent}${" ".repeat(hang)}`;
        write(`${start}${style === undefined ? line : look.paint(line, style)}`);
      }
    },
    result(value, show) {
      if (format === "json") write(JSON.stringify(value, undefined, 2));
      else if (format === "yaml") process.stdout.write(stringify(value));
      else show();
    },
    stream(value, show) {
      if (format === "json") write(JSON.stringify(value));
      else if (format === "yaml") process.stdout.write(`---\n${stringify(value)}`);
      else show();
    },
  };
}
