// Prints progress: what was done, and how long it took.

const LIVE_MS = 1_000;
const LINE_MS = 30_000;
const SEPARATOR = " | ";
const CLEAR = "\r\u001b[K";

/**
 * `0.4 s`, `12 s`, `3:10`.
 * @param {number} ms
 * @returns {string}
 */
export function elapsed(ms) {
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/**
 * Where progress is written; `process.stdout` is one.
 * @typedef {{
 *   write(text: string): unknown,
 *   readonly isTTY?: boolean,
 *   readonly columns?: number,
 * }} Screen
 */

/**
 * @typedef {object} Progress
 * @property {(text: string) => void} say Prints a line.
 * @property {(what: string, since: number) => void} done Prints that work is done, with its
 *   duration; `since` in milliseconds since the epoch.
 * @property {<T>(what: string, work: Promise<T>) => Promise<T>} live Reports work that takes
 *   minutes: on a terminal in one line that is overwritten, else in a line every half minute.
 */

/**
 * @param {Screen} screen
 * @returns {Progress}
 */
export function createProgress(screen) {
  const terminal = screen.isTTY === true;
  /** @type {Map<string, number>} What runs, since when. */
  const works = new Map();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const lineOf = (/** @type {[string, number]} */ [what, since]) =>
    `${what}: ${elapsed(Date.now() - since)}`;
  const draw = () => {
    if (!terminal || works.size === 0) return;
    // A wrapped line cannot be overwritten, so a long one is cut, but never its time.
    const room = (screen.columns ?? 80) - 6 - SEPARATOR.length * (works.size - 1);
    const each = Math.floor(room / works.size);
    const parts = [...works].map((work) => {
      const line = lineOf(work);
      const time = line.slice(line.lastIndexOf(": "));
      return line.length <= each ? line : `${line.slice(0, each - time.length - 2)}..${time}`;
    });
    screen.write(`${CLEAR}  .. ${parts.join(SEPARATOR)}`);
  };
  const say = (/** @type {string} */ text) => {
    screen.write(`${terminal ? CLEAR : ""}${text}\n`);
    draw();
  };
  const tick = () => {
    if (terminal) draw();
    else for (const work of works) say(`  .. ${lineOf(work)}`);
  };
  return {
    say,
    done: (what, since) => say(`  ok ${what} (${elapsed(Date.now() - since)})`),
    async live(what, work) {
      if (!terminal) say(`  .. ${what}`);
      works.set(what, Date.now());
      timer ??= setInterval(tick, terminal ? LIVE_MS : LINE_MS);
      draw();
      try {
        return await work;
      } finally {
        works.delete(what);
        if (works.size === 0) {
          clearInterval(timer);
          timer = undefined;
          if (terminal) screen.write(CLEAR);
        }
      }
    },
  };
}
