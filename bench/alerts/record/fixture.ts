import type { Cell } from "./notation.ts";
import { notationOf } from "./notation.ts";
import type { Recording } from "./recorder.ts";

/** Seconds between two scrapes: the chart's default. */
export const INTERVAL_SECONDS = 30;
/** Ages are rounded down to it, so that series that go up and down stay short. */
const AGE_STEP = 15;

/** A recording as it is committed. */
export type Fixture = Pick<Recording, "scenario" | "commit" | "load" | "acts"> & {
  readonly about: string;
  /** The day, as YYYY-MM-DD. */
  readonly recorded: string;
  /** Seconds between two scrapes. */
  readonly interval: number;
  readonly scrapes: number;
  /** Values by series, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>;
};

/** Whether alert rules, of which this is the text, ask for a series. */
export function selectedBy(rules: string): (series: string) => boolean {
  const selectors = rules.matchAll(/\b((?:rollcast|process)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?/g);
  const requested = [...selectors].map(([, name = "", inside = ""]) => {
    // What is matched by a regular expression is one of few, and kept whole.
    const labels = [...inside.matchAll(/(\w+="[^"]*")/g)].map(([, label = ""]) => label);
    return { name, labels };
  });
  return (series) =>
    requested.some(
      ({ name, labels }) =>
        series.startsWith(`${name}{`) && labels.every((label) => series.includes(label)),
    );
}

function valueOf(name: string, value: number, began: number): number {
  // In promtool's tests the epoch is the begin.
  if (name === "process_start_time_seconds") return Math.round(value - began);
  const isAge = name.endsWith("_seconds");
  return isAge ? Math.floor(value / AGE_STEP) * AGE_STEP : value;
}

/** What the alerts ask for of a recording. Pure. */
export function fixtureOf(
  recording: Recording,
  about: string,
  isRequested: (series: string) => boolean,
): Fixture {
  const { scenario, commit, load, began, acts } = recording;
  const series: Record<string, string> = {};
  for (const key of Object.keys(recording.series).toSorted()) {
    if (!isRequested(key)) continue;
    const name = key.slice(0, key.indexOf("{"));
    const cells = (recording.series[key] ?? []).map((cell): Cell =>
      typeof cell === "number" ? valueOf(name, cell, began) : (cell ?? undefined),
    );
    series[key] = notationOf(cells);
  }
  const scrapes = Math.max(0, ...Object.values(recording.series).map((cells) => cells.length));
  return {
    scenario,
    about,
    commit,
    recorded: new Date(began * 1_000).toISOString().slice(0, 10),
    load,
    interval: INTERVAL_SECONDS,
    scrapes,
    acts,
    series,
  };
}
