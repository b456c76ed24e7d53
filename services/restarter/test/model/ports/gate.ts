import { setImmediate as macrotask } from "node:timers/promises";
import { owner } from "./clock.ts";

/** What a call of a process does to the world outside. */
export type CallKind =
  | "patch"
  | "read workload"
  | "list workloads"
  | "read record"
  | "write record"
  | "read source"
  | "write quota"
  | "publish"
  | "add job"
  | "other";

export type Call<T = unknown> = {
  readonly kind: CallKind;
  /** What it does, for people. */
  readonly what: string;
  readonly perform: () => T;
  /** What the process sees when its answer is lost. */
  readonly lost: () => Error;
};

/** The next calls of a kind have no answer; whether they are performed all the same. */
export type Loss = { readonly kind: CallKind; readonly performed: boolean; left: number };

/** Every call of one process passes here: it may wait, lose its answer, or never return. */
export type Gate = {
  readonly process: object;
  enter<T>(call: Call<T>): Promise<T>;
  /** Lets the process go on until it is about to make such a call; undefined: until it waits. */
  open(until: CallKind | undefined): void;
  /** Whether it waits before a call. */
  stopped(): Call | undefined;
  lose(loss: Loss): void;
  forgetLosses(): void;
  /** The process is killed: nothing returns to it any more. */
  kill(): void;
  readonly isDead: () => boolean;
  /** Never aborted while the world is there: a process that is killed does not end in order. */
  readonly signal: AbortSignal;
  /** The world is over: lets go of everything that waits for the signal. */
  abandon(): void;
};

type Waiting = { readonly call: Call; readonly go: () => void };

/** What a gate tells of the calls of its process. */
export type GateListener = {
  lost?(loss: { kind: CallKind; performed: boolean; what: string }): void;
  /** The process stands still before the call. */
  stopped?(kind: CallKind): void;
};

export function createGate(process: object, listener: GateListener = {}): Gate {
  let until: CallKind | undefined;
  let closed = false;
  let dead = false;
  let waiting: Waiting[] = [];
  let losses: Loss[] = [];
  const ending = new AbortController();
  const perform = <T>(call: Call<T>): T => {
    const loss = losses.find(({ kind }) => kind === call.kind);
    if (loss === undefined) return call.perform();
    loss.left -= 1;
    losses = losses.filter(({ left }) => left > 0);
    listener.lost?.({ kind: call.kind, performed: loss.performed, what: call.what });
    if (loss.performed) call.perform();
    throw call.lost();
  };
  const open = (kind: CallKind | undefined) => {
    if (dead) return;
    until = kind;
    closed = false;
    const released = waiting;
    waiting = [];
    for (const [i, { call, go }] of released.entries()) {
      // The call at which it stopped is made now, others of its kind stop again.
      if (i > 0 && stops(call)) waiting.push({ call, go });
      else go();
    }
  };
  const stops = (call: Call): boolean => {
    if (!closed && call.kind === until) closed = true;
    return closed;
  };
  return {
    process,
    async enter<T>(call: Call<T>): Promise<T> {
      if (dead) return new Promise<T>(() => undefined);
      if (stops(call)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.push({ call, go: resolve });
        listener.stopped?.(call.kind);
        await promise;
        if (dead) return new Promise<T>(() => undefined);
      } else await undefined;
      return perform(call);
    },
    open,
    stopped: () => (closed ? waiting[0]?.call : undefined),
    lose(loss) {
      losses.push(loss);
    },
    forgetLosses() {
      losses = [];
    },
    kill() {
      dead = true;
      waiting = [];
    },
    isDead: () => dead,
    signal: ending.signal,
    abandon: () => ending.abort(),
  };
}

/** Calls back into a process from outside, unless it is dead. */
export function enterProcess(gate: Gate, callback: () => void): void {
  if (!gate.isDead()) owner.run(gate.process, callback);
}

/** Resolves when everything that can go on by itself has done so. */
export async function idle(): Promise<void> {
  await macrotask();
}
