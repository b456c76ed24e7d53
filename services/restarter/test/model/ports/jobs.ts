import { backoffDelay } from "@rollcast/async/backoff";
import type { Backoff } from "@rollcast/async/backoff";
import { RetryLaterError, TerminalError } from "@rollcast/shared/errors";
import type { Gate } from "./gate.ts";

/** A job that waits or runs. */
type Job = {
  readonly id: string;
  readonly attempts: number;
  attemptsMade: number;
  due: number;
  /** The process that runs it. */
  runner: object | undefined;
  /** Another is to follow the running one. */
  again: { due: number } | undefined;
};

export type JobAttempt = { readonly signal: AbortSignal; readonly lastAttempt: boolean };

/** The jobs of one queue, as BullMQ keeps them in Redis: they outlive every process. */
export type Jobs = {
  readonly queue: string;
  add(gate: Gate, job: { id: string; delayMs: number; wake: boolean }): Promise<void>;
  /** The next job that may run now. */
  next(now: number): Job | undefined;
  /** When the next job that waits may run. */
  nextTime(): number | undefined;
  run(job: Job, runner: object, work: (attempt: JobAttempt) => Promise<void>): Promise<void>;
  /** Redis is emptied: what runs goes on. */
  empty(): void;
  /** The jobs that a killed process had in flight run again once their locks have expired. */
  stall(runner: object, now: number): void;
};

export type JobsOptions = {
  readonly queue: string;
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly now: () => number;
};

const LOCK_MS = 10_000;
const lost = () => new Error("Connection is closed.");

export function createJobs({ queue, attempts, backoff, now }: JobsOptions): Jobs {
  let jobs = new Map<string, Job>();
  const add = (id: string, delayMs: number, wake: boolean) => {
    const due = now() + delayMs;
    const job = jobs.get(id);
    if (job === undefined) {
      jobs.set(id, { id, attempts, attemptsMade: 0, due, runner: undefined, again: undefined });
    } else if (job.runner !== undefined) job.again = { due: job.again?.due ?? due };
    else if (wake && job.attemptsMade > 0) job.due = now();
  };
  const end = (job: Job) => {
    if (jobs.get(job.id) !== job) return;
    jobs.delete(job.id);
    const { again } = job;
    if (again === undefined) return;
    jobs.set(job.id, {
      ...job,
      attemptsMade: 0,
      due: again.due,
      runner: undefined,
      again: undefined,
    });
  };
  const retry = (job: Job, err: unknown) => {
    job.runner = undefined;
    if (err instanceof RetryLaterError) job.due = now() + err.delayMs;
    else if (err instanceof TerminalError || job.attemptsMade + 1 >= job.attempts) end(job);
    else {
      job.attemptsMade += 1;
      job.due = now() + backoffDelay(backoff, job.attemptsMade);
    }
  };
  const waiting = () => [...jobs.values()].filter(({ runner }) => runner === undefined);
  return {
    queue,
    add: (gate, { id, delayMs, wake }) =>
      gate.enter({
        kind: "add job",
        what: `add a job for ${id}`,
        perform: () => add(id, delayMs, wake),
        lost,
      }),
    next: (time) => waiting().find(({ due }) => due <= time),
    nextTime() {
      const times = waiting().map(({ due }) => due);
      return times.length === 0 ? undefined : Math.min(...times);
    },
    async run(job, runner, work) {
      job.runner = runner;
      const signal = new AbortController().signal;
      try {
        await work({ signal, lastAttempt: job.attemptsMade + 1 >= job.attempts });
        end(job);
      } catch (err) {
        retry(job, err);
      }
    },
    empty() {
      jobs = new Map();
    },
    stall(runner, time) {
      for (const job of jobs.values()) {
        if (job.runner !== runner) continue;
        // The dead process still holds the object: a new one takes its place.
        jobs.set(job.id, { ...job, runner: undefined, due: time + LOCK_MS });
      }
    },
  };
}
