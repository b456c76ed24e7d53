/** A process as Prometheus scrapes it. */
export type Target = {
  /** What Prometheus and the Prometheus operator attach to each series. */
  readonly labels: Readonly<Record<string, string>>;
  /** The answer of `/metrics`. Throws where there is none. */
  read(signal: AbortSignal): Promise<string>;
};

/** Prometheus' default. */
const SCRAPE_TIMEOUT_MS = 10_000;
/** Series that no alert will ask for. */
const LEFT_OUT = /^(?:nodejs_|process_(?!start_time_seconds)|[a-z0-9_]+_bucket\b)/;
const SAMPLE = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/;

/** The name of a series with its labels in order. */
export function seriesOf(name: string, labels: Readonly<Record<string, string>>): string {
  const inside = Object.keys(labels)
    .toSorted()
    .map((label) => `${label}="${labels[label]}"`);
  return `${name}{${inside.join(",")}}`;
}

function labelsIn(text: string): Record<string, string> {
  const pairs = text.matchAll(/(\w+)="([^"]*)"/g);
  return Object.fromEntries([...pairs].map(([, name = "", value = ""]) => [name, value]));
}

/** The samples of a `/metrics` answer by series, with a target's labels. */
export function samplesOf(
  text: string,
  target: Readonly<Record<string, string>>,
): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, inside = "", value = ""] = SAMPLE.exec(line) ?? [];
    if (name === undefined || LEFT_OUT.test(name)) continue;
    samples.set(seriesOf(name, { ...labelsIn(inside), ...target }), Number(value));
  }
  return samples;
}

/** Scrapes a target once: its samples, and `up`. */
export async function scrape({ labels, read }: Target): Promise<ReadonlyMap<string, number>> {
  const up = seriesOf("up", labels);
  try {
    const text = await read(AbortSignal.timeout(SCRAPE_TIMEOUT_MS));
    return samplesOf(text, labels).set(up, 1);
  } catch {
    return new Map([[up, 0]]);
  }
}
