import type { RollcastEvent } from "@rollcast/shared/events";
import { clock, joinPlans, narrate } from "./narrate.ts";

/** Plans of one change arrive within this time. */
const TOGETHER_MS = 100;

export type Printer = {
  /** Writes raw text. */
  write(text: string): void;
  /** Writes a line without a timestamp. */
  say(text: string): void;
  /** Writes a line with a timestamp, in milliseconds since the epoch. */
  timed(text: string, at: number): void;
  event(event: RollcastEvent): void;
};

/**
 * Prints events as they arrive. Plans are delayed for a moment, so that those of one change are
 * printed in one line.
 */
export function createPrinter(out: (text: string) => void): Printer {
  let pending: { line: string; at: number; timer: NodeJS.Timeout } | undefined;
  const flush = () => {
    if (pending === undefined) return;
    clearTimeout(pending.timer);
    out(`${clock(pending.at)} ${pending.line}\n`);
    pending = undefined;
  };
  const write = (text: string) => {
    flush();
    out(text);
  };
  const timed = (text: string, at: number) => {
    flush();
    out(`${clock(at)} ${text}\n`);
  };
  return {
    write,
    say: (text) => write(`${text}\n`),
    timed,
    event(event) {
      const at = Date.parse(event.time);
      const joined = pending === undefined ? undefined : joinPlans(pending.line, event);
      if (pending !== undefined && joined !== undefined) {
        pending.line = joined;
      } else if (event.type === "dev.rollcast.rollout.planned.v1") {
        flush();
        pending = { line: narrate(event), at, timer: setTimeout(flush, TOGETHER_MS) };
      } else {
        timed(narrate(event), at);
      }
    },
  };
}
