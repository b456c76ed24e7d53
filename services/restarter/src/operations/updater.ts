import type { Kv } from "@rollcast/nats/kv";
import type { KvCache } from "@rollcast/nats/kv-cache";
import { modify } from "@rollcast/nats/modify";
import type { Logger } from "@rollcast/runtime/logger";
import { TerminalError } from "@rollcast/shared/errors";
import type { ControlEntry } from "../model/control-entry.ts";
import { MAX_OUTBOX, REMOVED, withEvent } from "../model/control-outbox.ts";
import type { Operation } from "../model/control-outbox.ts";
import type { OperationOutbox } from "./operation-outbox.ts";

/** Who requests it, and until when it applies (ms since the epoch); unset: until it is removed. */
export type By = { readonly by: string; readonly until?: number };

export type UpdaterOptions = {
  readonly cluster: string;
  readonly kv: Kv<ControlEntry>;
  readonly cache: KvCache<ControlEntry>;
  readonly outbox: Pick<OperationOutbox, "flush">;
  readonly logger: Logger;
};

/** The new entry, or null to remove it, and the event of that. */
type Update = { readonly next: ControlEntry | null; readonly operation: Operation };

/** Changes entries, each with its event in the same write. */
export type Updater = {
  /**
   * Whether the entry was changed; it is not where `change` returns undefined. The event is
   * published afterwards, in the background. Throws {@link OperationError} where the write is not
   * confirmed.
   */
  update(
    key: string,
    change: (before: ControlEntry | undefined) => Update | undefined,
  ): Promise<boolean>;
};

const MAX_TEXT = 128;

/** The author and times to store; throws {@link OperationError} if the end is past. */
export function origin({ by, until }: By): { by: string; at: number; until?: number } {
  const at = Date.now();
  if (until === undefined) return { by: by.slice(0, MAX_TEXT), at };
  if (!(until > at)) throw new OperationError("Invalid", "the end must be later than now");
  return { by: by.slice(0, MAX_TEXT), at, until };
}

/** An end time, as events show it. */
export function untilText(until: number | undefined): { until?: string } {
  return until === undefined ? {} : { until: new Date(until).toISOString() };
}

/** Returns what `write` does; throws {@link OperationError} where NATS does not answer to it. */
export async function confirmed<T>(logger: Logger, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (err) {
    if (err instanceof OperationError || err instanceof TerminalError) throw err;
    logger.error({ err }, "writing an operation failed");
    const message = "NATS does not confirm the write: look whether it was made, and repeat it";
    throw new OperationError("NotConfirmed", message, { cause: err });
  }
}

export function createUpdater({ kv, outbox, logger }: UpdaterOptions): Updater {
  return {
    async update(key, change) {
      let dropped: readonly unknown[] = [];
      const written = await confirmed(logger, () =>
        modify(kv, key, (before) => {
          const update = change(before);
          if (update === undefined) return undefined;
          const { next, operation } = update;
          dropped = (before?.outbox ?? []).slice(0, 1 - MAX_OUTBOX);
          return withEvent({ key, before, next: next ?? REMOVED, operation, now: Date.now() });
        }),
      );
      if (written === undefined) return false;
      for (const event of dropped) logger.error({ key, event }, "outbox is full, event is dropped");
      outbox.flush(key);
      return true;
    },
  };
}

/** The requested operation is not possible; the message is for people. */
export class OperationError extends Error {
  override name = "OperationError";
  readonly reason: "NotFound" | "Invalid" | "NotConfirmed";

  constructor(reason: OperationError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
