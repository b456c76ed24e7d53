import type { Cell } from "./notation.ts";
import { scrape } from "./scrape.ts";
import type { Target } from "./scrape.ts";

/** Something that was done, `at` seconds after the begin of the recording. */
export type Act = { readonly at: number; readonly id: string; readonly what: string };

/** Everything that was scraped in a scenario. */
export type Recording = {
  readonly scenario: string;
  readonly commit: string;
  /** When it began, in seconds since the epoch. */
  readonly began: number;
  /** What else the machine did: its load averages at the begin and at the end, and its cores. */
  load: string;
  readonly acts: Act[];
  /** By series, a cell for each scrape. */
  readonly series: Record<string, Cell[]>;
};

/**
 * Scrapes as Prometheus does: a target that does not answer is `up` 0; a series that is missing
 * from an answer, or whose target is gone, gets a staleness marker.
 */
export type Recorder = {
  readonly recording: Recording;
  /** Scrapes every target once; without targets while Prometheus itself is away. */
  tick(targets: readonly Target[] | undefined): Promise<void>;
  act(id: string, what: string): void;
};

export function createRecorder(
  scenario: string,
  { commit, load }: Pick<Recording, "commit" | "load">,
  secondsSinceBegin: () => number,
): Recorder {
  const began = Date.now() / 1_000;
  const recording: Recording = { scenario, commit, began, load, acts: [], series: {} };
  const { series, acts } = recording;
  let ticks = 0;
  let before = new Set<string>();
  const set = (name: string, at: number, cell: Cell) => {
    const cells = (series[name] ??= []);
    while (cells.length < at) cells.push(undefined);
    cells[at] = cell;
  };
  return {
    recording,
    act(id, what) {
      acts.push({ at: Math.round(secondsSinceBegin()), id, what });
    },
    async tick(targets) {
      const at = ticks++;
      if (targets === undefined) {
        // A Prometheus that was away writes no markers for what it did not see go.
        before = new Set();
        return;
      }
      const now = new Set<string>();
      for (const samples of await Promise.all(targets.map(scrape))) {
        for (const [name, value] of samples) {
          now.add(name);
          set(name, at, value);
        }
      }
      for (const name of before) if (!now.has(name)) set(name, at, "stale");
      before = now;
    },
  };
}
