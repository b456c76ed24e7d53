import { stableId } from "@rollcast/shared/events";
import type { ObjectId } from "@rollcast/shared/event-envelope";
import type { Halt, OperationsOptions } from "./queue-status.ts";
import { origin } from "./updater.ts";
import type { By, Updater } from "./updater.ts";
import type { Change, Failures } from "../model/control-entry.ts";
import { failuresOf } from "../decision/blocking-gate.ts";

const MAX_SOURCES = 20;

/** The sources of changes, as events list them. */
export function sourcesOf(changes: readonly Change[]): ObjectId[] {
  const keys = [...new Set(changes.map(({ source }) => source))].slice(0, MAX_SOURCES);
  return keys.map((key) => {
    const [kind = "", namespace = "", name = ""] = key.split("/");
    return { kind, namespace, name };
  });
}

export function haltOperations(
  { queues, admission, quotaStore }: OperationsOptions,
  updater: Updater,
) {
  const listHalts = (): Halt[] =>
    queues.flatMap(({ name: queue, haltAfter }) => {
      const { failures } = admission.state(queue);
      return failures
        .map(({ changes }) => ({ queue, changes, failed: failuresOf(failures, changes) }))
        .filter(({ failed }) => failed >= haltAfter);
    });
  return {
    listHalts,
    async resumeHalted(
      which: { readonly queue?: string; readonly source?: string },
      who: By,
    ): Promise<number> {
      const { by } = origin(who);
      const isMeant = ({ changes }: Failures) =>
        which.source === undefined || changes.some(({ source }) => source === which.source);
      let count = 0;
      for (const { name: queue } of queues) {
        if (which.queue !== undefined && which.queue !== queue) continue;
        const freed = await quotaStore.change(
          queue,
          (state) => {
            const kept = state.failures.filter((failure) => !isMeant(failure));
            const gone = state.failures.filter(isMeant);
            if (gone.length === 0) return { state, answer: gone };
            return { state: { ...state, failures: kept }, answer: gone };
          },
          { fresh: true },
        );
        if (freed.length === 0) continue;
        count += freed.length;
        const sources = sourcesOf(freed.flatMap(({ changes }) => changes));
        const id = stableId(queue, "released", String(Date.now()), by);
        await updater.publishQueue(id, "released", { queue, by, sources });
      }
      return count;
    },
  };
}
