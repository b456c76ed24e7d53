import type { Halt, OperationsOptions } from "./queue-status.ts";
import { confirmed, origin } from "./updater.ts";
import type { By } from "./updater.ts";
import { sourcesOf, stateKey, withFailures } from "../model/control-entry.ts";
import type { Failures, QueueState } from "../model/control-entry.ts";
import { withEvent } from "../model/control-outbox.ts";
import { failuresOf } from "../decision/blocking-gate.ts";

export function haltOperations({
  cluster,
  queues,
  admission,
  quotaStore,
  logger,
}: OperationsOptions) {
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
        const resume = (state: QueueState) => {
          const gone = state.failures.filter(isMeant);
          if (gone.length === 0) return { state, answer: 0 };
          const failures = state.failures.filter((failure) => !isMeant(failure));
          const sources = sourcesOf(gone.flatMap(({ changes }) => changes));
          const resumed = withEvent({
            key: stateKey(cluster, queue),
            before: state,
            next: withFailures(state, failures),
            operation: { domain: "queue", outcome: "released", data: { queue, by, sources } },
            now: Date.now(),
          });
          return { state: resumed, answer: gone.length };
        };
        count += await confirmed(logger, () => quotaStore.change(queue, resume, { fresh: true }));
      }
      return count;
    },
  };
}
