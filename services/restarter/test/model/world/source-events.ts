import { RetryLaterError } from "@rollcast/shared/errors";
import type { SourceEvent } from "@rollcast/shared/events";
import type { Replica } from "./replica.ts";

/**
 * The events of sources that nobody has handled yet: one that fails, or whose process is killed,
 * comes again.
 */
export type SourceEvents = {
  emit(event: SourceEvent): void;
  /** Hands over what is due; whether there was anything. */
  take(replica: Replica): boolean;
  nextTime(): number | undefined;
  /** What a killed process had in flight comes again. */
  returnFrom(replica: Replica): void;
};

type Waiting = { readonly event: SourceEvent; due: number; at: Replica | undefined };

const RETRY_MS = 1_000;

export function createSourceEvents(now: () => number): SourceEvents {
  let waiting: Waiting[] = [];
  return {
    emit: (event) => void waiting.push({ event, due: 0, at: undefined }),
    take(replica) {
      const due = waiting.filter((entry) => entry.at === undefined && entry.due <= now());
      for (const entry of due) {
        entry.at = replica;
        replica.plan(entry.event).then(
          () => {
            waiting = waiting.filter((other) => other !== entry);
          },
          (err: unknown) => {
            entry.at = undefined;
            entry.due = now() + (err instanceof RetryLaterError ? err.delayMs : RETRY_MS);
          },
        );
      }
      return due.length > 0;
    },
    nextTime() {
      const times = waiting.filter(({ at }) => at === undefined).map(({ due }) => due);
      return times.length === 0 ? undefined : Math.min(...times);
    },
    returnFrom(replica) {
      for (const entry of waiting) if (entry.at === replica) entry.at = undefined;
    },
  };
}
