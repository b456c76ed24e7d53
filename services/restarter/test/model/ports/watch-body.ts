import type { ObjectStore } from "../cluster/object-store.ts";
import type { Gate } from "./gate.ts";

/** The open body of one watch. */
export type WatchBody = {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Hands over the events since the last delivery; whether there were any. */
  deliver(): boolean;
  bookmark(): void;
  end(expired: boolean): void;
  isOver(): boolean;
};

type Options = {
  readonly store: ObjectStore;
  readonly kind: string;
  readonly since: number;
  readonly gate: Gate;
  readonly signal: AbortSignal | undefined;
};

function line(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

const EXPIRED = {
  kind: "Status",
  code: 410,
  reason: "Expired",
  message: "too old resource version",
};

export function createWatchBody({ store, kind, since, gate, signal }: Options): WatchBody {
  let version = since;
  let at = store.events().findIndex(({ resourceVersion }) => resourceVersion > since);
  if (at === -1) at = store.events().length;
  let waiting: Uint8Array[] = [];
  let wake: (() => void) | undefined;
  let isOver = false;
  const push = (chunk: Uint8Array) => {
    waiting.push(chunk);
    wake?.();
  };
  const end = () => {
    isOver = true;
    wake?.();
  };
  const bookmark = () =>
    push(line({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(version) } } }));
  signal?.addEventListener("abort", end, { once: true });
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const ready = waiting;
        waiting = [];
        yield* ready;
        signal?.throwIfAborted();
        if (isOver && waiting.length === 0) return;
        if (waiting.length > 0) continue;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
    } finally {
      isOver = true;
    }
  }
  return {
    chunks: chunks(),
    deliver() {
      const events = store.events();
      let some = false;
      for (; at < events.length; at++) {
        const event = events[at];
        if (event === undefined || event.object.kind !== kind) continue;
        const { type, object, resourceVersion } = event;
        version = resourceVersion;
        some = true;
        push(line({ type, object }));
      }
      return some;
    },
    bookmark,
    end(expired) {
      // What was not delivered is delivered by the next watch, from `version` on.
      if (expired) push(line({ type: "ERROR", object: EXPIRED }));
      else bookmark();
      end();
    },
    isOver: () => isOver || gate.isDead(),
  };
}
