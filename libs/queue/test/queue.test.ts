import { getEventListeners } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { setTimeout as later } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { RetryLaterError, TerminalError } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/runtime/logger";
import { freePort } from "@rollcast/testkit/net";
import { startProcess } from "@rollcast/testkit/process";
import { startRedis } from "@rollcast/testkit/redis-server";
import type { RedisServer } from "@rollcast/testkit/redis-server";
import { startTcpProxy } from "@rollcast/testkit/tcp-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { describe, expect, test } from "vitest";
import { openQueue } from "../src/job-queue.ts";
import type { JobQueue } from "../src/job-queue.ts";
import { openWorker } from "../src/worker.ts";
import type { JobContext, Work, WorkOptions } from "../src/worker.ts";
import { recordingLogger, silent, startTrapdoor } from "./setup.ts";

type JobData = { name: string };
type Process = (job: JobData, context: JobContext) => Promise<void>;

const BACKOFF = { initial: 100, max: 200 };

function optionsOf(url: string, logger: Logger = silent) {
  return { url, cluster: "prod", name: "rollout-default", logger };
}

function work(url: string, run: Process, options: Partial<WorkOptions<JobData>> = {}) {
  return openWorker<JobData>({
    ...optionsOf(url),
    concurrency: 8,
    backoff: BACKOFF,
    process: run,
    ...options,
  });
}

/** A Redis, a queue, and workers, closed in the order in which a service closes them. */
async function setup(logger: Logger = silent) {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis());
  const queue = stack.use(await openQueue<JobData>(optionsOf(redis.url, logger)));
  const kept = stack.move();
  return {
    redis,
    queue,
    work: async (run: Process, options: Partial<WorkOptions<JobData>> = {}): Promise<Work> =>
      kept.use(await work(redis.url, run, { logger, ...options })),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function idle(queue: JobQueue<JobData>): Promise<boolean> {
  const { waiting = 0, active = 0, delayed = 0 } = await queue.counts();
  return waiting + active + delayed === 0;
}

async function outage(redis: RedisServer, queue: JobQueue<JobData>, empty = false): Promise<void> {
  await redis.kill();
  await waitFor(() => queue.fault() !== undefined);
  await redis.restart({ empty });
  await waitFor(() => queue.fault() === undefined);
}

/** How often a server refused a command for want of rights. */
async function refusedBy({ port }: RedisServer): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  socket.end("INFO errorstats\r\nQUIT\r\n");
  const [, count = "0"] = /errorstat_NOPERM:count=(\d+)/.exec(await text(socket)) ?? [];
  return Number(count);
}

describe.concurrent("queue", () => {
  test("a worker that Redis refuses its keys has a fault that says so, told once and not at each attempt", async () => {
    await using redis = await startRedis({
      args: ["--user", "other on nopass ~{rollcast-prod}:other* &* +@all"].flatMap((argument) =>
        argument.split(" "),
      ),
    });
    const { logger, lines } = recordingLogger();
    const url = redis.url.replace("//", "//other@");
    await using worker = await work(url, async () => undefined, { logger, url });
    const fault = await waitFor(() => worker.fault(), { message: "a fault" });
    expect(fault).toMatch(/^refused: NOPERM/);
    const errorCount = () => lines.filter(({ msg }) => msg === "worker error").length;
    const before = errorCount();
    const refusals = await refusedBy(redis);
    await waitFor(async () => (await refusedBy(redis)) > refusals + 100);
    expect(errorCount()).toBe(before);
    expect(worker.fault()).toBe(fault);
  });

  test("says for how long the next job has been due, not counting its delay", async () => {
    await using bull = await setup();
    expect(await bull.queue.waitedMs()).toBe(0);
    await bull.queue.add({ name: "later" }, { id: "later", delayMs: 60_000 });
    expect(await bull.queue.waitedMs()).toBe(0);
    await bull.queue.add({ name: "a" }, { id: "a" });
    await waitFor(async () => (await bull.queue.waitedMs()) >= 50);
    await bull.work(async () => undefined);
    await waitFor(async () => (await bull.queue.waitedMs()) === 0);
  });

  test("a job is done once and gone", async () => {
    await using bull = await setup();
    const done: string[] = [];
    await bull.work(async ({ name }, { attempt, lastAttempt }) => {
      done.push(`${name} ${attempt} ${lastAttempt}`);
    });

    await bull.queue.add({ name: "a" }, { id: "a" });
    await bull.queue.add({ name: "b" }, { id: "b", attempts: 1 });
    await waitFor(async () => done.length === 2 && (await idle(bull.queue)));

    expect(done.toSorted()).toEqual(["a 1 false", "b 1 true"]);
    expect(await bull.queue.counts()).toEqual({
      waiting: 0,
      active: 0,
      delayed: 0,
      failed: 0,
      prioritized: 0,
    });
  });

  test("adds of one id inside the delay are one job, counted from the first", async () => {
    await using bull = await setup();
    const done: [string, number][] = [];
    await bull.work(async ({ name }) => void done.push([name, Date.now()]));

    const first = Date.now();
    for (let i = 0; i < 10; i++) {
      await bull.queue.add({ name: `web-${i}` }, { id: "shop/web", delayMs: 3_000 });
      await later(20);
    }
    await bull.queue.add({ name: "api" }, { id: "shop/api", delayMs: 100 });
    await waitFor(async () => done.length >= 2 && (await idle(bull.queue)));

    expect(done.map(([name]) => name)).toEqual(["api", "web-0"]);
    expect((done[1]?.[1] ?? 0) - first).toBeGreaterThanOrEqual(3_000);
  });

  test("adds while the job runs are one more run after it", async () => {
    await using bull = await setup();
    const began: string[] = [];
    const go = Promise.withResolvers<void>();
    await bull.work(async ({ name }) => {
      began.push(name);
      if (began.length === 1) await go.promise;
    });
    await bull.queue.add({ name: "one" }, { id: "web" });
    await waitFor(() => began.length === 1);

    for (const name of ["two", "three", "four"]) await bull.queue.add({ name }, { id: "web" });
    expect(began).toEqual(["one"]);
    go.resolve();
    await waitFor(async () => began.length >= 2 && (await idle(bull.queue)));

    expect(began).toEqual(["one", "four"]);
  });

  test("a change while the job runs is not lost where the job fails", async () => {
    await using bull = await setup();
    const began: string[] = [];
    const go = Promise.withResolvers<void>();
    await bull.work(async ({ name }) => {
      began.push(name);
      if (began.length > 1) return;
      await go.promise;
      throw new TerminalError("Forbidden", "no");
    });
    await bull.queue.add({ name: "one" }, { id: "web" });
    await waitFor(() => began.length === 1);
    await bull.queue.add({ name: "two" }, { id: "web" });
    go.resolve();

    await waitFor(() => began.length === 2);
    expect(began).toEqual(["one", "two"]);
  });

  test("two workers never run one id at the same time, and never miss the last change", async () => {
    await using bull = await setup();
    const running = new Map<string, number>();
    const processed = new Map<string, number>();
    const wanted = new Map<string, number>();
    let most = 0;
    const run: Process = async ({ name }) => {
      const now = (running.get(name) ?? 0) + 1;
      running.set(name, now);
      most = Math.max(most, now);
      processed.set(name, wanted.get(name) ?? 0);
      await later(15);
      running.set(name, now - 1);
    };
    await bull.work(run);
    await bull.work(run);

    for (let i = 1; i <= 150; i++) {
      const name = `web-${i % 3}`;
      wanted.set(name, i);
      await bull.queue.addAndWake({ name }, { id: name, delayMs: i % 2 === 0 ? 5 : 0 });
    }
    await waitFor(() => idle(bull.queue));

    expect(most).toBe(1);
    expect([...processed.entries()].toSorted()).toEqual([...wanted.entries()].toSorted());
  });

  test("a failure is tried again with backoff, until it succeeds", async () => {
    await using bull = await setup();
    const attempts: string[] = [];
    await bull.work(async (_, { attempt, lastAttempt }) => {
      attempts.push(`${attempt} ${lastAttempt}`);
      if (attempt < 3) throw new Error("not yet");
    });

    await bull.queue.add({ name: "a" }, { id: "a", attempts: 3 });
    await waitFor(async () => attempts.length >= 3 && (await idle(bull.queue)));

    expect(attempts).toEqual(["1 false", "2 false", "3 true"]);
    expect(await bull.queue.counts()).toMatchObject({ failed: 0 });
  });

  test("when the attempts are used up it is given up, and its id is free again", async () => {
    await using bull = await setup();
    const attempts: number[] = [];
    await bull.work(async (_, { attempt }) => {
      attempts.push(attempt);
      throw new Error("never: redis://:pw@redis");
    });

    await bull.queue.add({ name: "a" }, { id: "a", attempts: 2 });
    await waitFor(async () => (await bull.queue.counts()).failed === 1);
    await bull.queue.add({ name: "a" }, { id: "a", attempts: 1 });
    await waitFor(async () => (await bull.queue.counts()).failed === 2);

    expect(attempts).toEqual([1, 2, 1]);
  });

  test("TerminalError gives up at once", async () => {
    await using bull = await setup();
    const attempts: number[] = [];
    await bull.work(async (_, { attempt }) => {
      attempts.push(attempt);
      throw new TerminalError("Forbidden", "may not patch");
    });

    await bull.queue.add({ name: "a" }, { id: "a", attempts: 5 });
    await waitFor(async () => (await bull.queue.counts()).failed === 1);

    expect(attempts).toEqual([1]);
  });

  test("RetryLaterError comes again after its delay and uses no attempt", async () => {
    await using bull = await setup();
    const attempts: [number, boolean, number][] = [];
    await bull.work(async (_, { attempt, lastAttempt }) => {
      attempts.push([attempt, lastAttempt, Date.now()]);
      if (attempts.length < 5) throw new RetryLaterError(attempts.length === 1 ? 400 : -1, "busy");
    });

    await bull.queue.add({ name: "a" }, { id: "a", attempts: 1 });
    await waitFor(async () => attempts.length >= 5 && (await idle(bull.queue)));

    expect(attempts.map(([attempt, last]) => `${attempt} ${last}`)).toEqual(
      Array(5).fill("1 true"),
    );
    expect((attempts[1]?.[2] ?? 0) - (attempts[0]?.[2] ?? 0)).toBeGreaterThanOrEqual(400);
    expect(await bull.queue.counts()).toMatchObject({ failed: 0 });
  });

  test("an error that asks to wait lengthens the backoff, and uses an attempt", async () => {
    await using bull = await setup();
    const attempts: [number, boolean, number][] = [];
    await bull.work(async (_, { attempt, lastAttempt }) => {
      attempts.push([attempt, lastAttempt, Date.now()]);
      throw Object.assign(new Error("busy"), { retryAfterMs: attempt === 1 ? 700 : 0 });
    });

    await bull.queue.add({ name: "a" }, { id: "a", attempts: 3 });
    await waitFor(async () => (await bull.queue.counts()).failed === 1);

    expect(attempts.map(([attempt, last]) => `${attempt} ${last}`)).toEqual([
      "1 false",
      "2 false",
      "3 true",
    ]);
    // Longer than the backoff ever is.
    expect((attempts[1]?.[2] ?? 0) - (attempts[0]?.[2] ?? 0)).toBeGreaterThanOrEqual(700);
  });

  test("addAndWake runs a job that waits for its next attempt now, add lets it wait", async () => {
    await using bull = await setup();
    const attempts: string[] = [];
    await bull.work(
      async ({ name }) => {
        attempts.push(name);
        if (attempts.length <= 2) throw new Error("not yet");
      },
      { backoff: { initial: 3_600_000, max: 3_600_000 } },
    );
    await bull.queue.add({ name: "a" }, { id: "a" });
    await bull.queue.add({ name: "b" }, { id: "b" });
    await waitFor(async () => (await bull.queue.counts()).delayed === 2);

    await bull.queue.add({ name: "a" }, { id: "a" });
    await bull.queue.addAndWake({ name: "b" }, { id: "b", delayMs: 1_000 });
    await waitFor(() => attempts.length === 3);

    expect(attempts.toSorted()).toEqual(["a", "b", "b"]);
    expect(await bull.queue.counts()).toMatchObject({ delayed: 1 });
  });

  test("addAndWake does not shorten a window, nor a wait that was asked for", async () => {
    await using bull = await setup();
    const attempts: string[] = [];
    await bull.work(async ({ name }) => {
      attempts.push(name);
      throw new RetryLaterError(3_600_000, "come back later");
    });
    await bull.queue.addAndWake({ name: "asked" }, { id: "asked" });
    await waitFor(async () => (await bull.queue.counts()).delayed === 1);
    await bull.queue.addAndWake({ name: "window" }, { id: "window", delayMs: 3_600_000 });

    await bull.queue.addAndWake({ name: "asked" }, { id: "asked" });
    await bull.queue.addAndWake({ name: "window" }, { id: "window" });
    await bull.queue.add({ name: "after" }, { id: "after" });
    await waitFor(() => attempts.includes("after"));

    expect(attempts).toEqual(["asked", "after"]);
    await waitFor(async () => (await bull.queue.counts()).delayed === 3);
  });

  test("what an error says is masked where it lies in Redis", async () => {
    await using bull = await setup();
    await bull.work(async ({ name }) => {
      if (name === "a") throw new TerminalError("No", "https://x/y?sig=s3cr3t");
      throw new Error("redis://:s3cr3t@redis");
    });
    await bull.queue.add({ name: "a" }, { id: "a" });
    await bull.queue.add({ name: "b" }, { id: "b", attempts: 1 });
    await waitFor(async () => (await bull.queue.counts()).failed === 2);

    const { createConnection } = await import("node:net");
    const socket = createConnection(bull.redis.port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes) => (text += bytes.toString()));
    for (const id of [1, 2]) socket.write(`HGETALL {rollcast-prod}:rollout-default:${id}\r\n`);
    await waitFor(() => text.split("failedReason").length === 3);
    socket.destroy();

    expect(text).toContain("https://x/***");
    expect(text).toContain("redis://***@redis");
    expect(text).not.toContain("s3cr3t");
  });

  test("queues of two clusters in one Redis stay apart", async () => {
    await using bull = await setup();
    const done: string[] = [];
    await bull.work(async ({ name }) => void done.push(name));
    await using other = await openQueue<JobData>({ ...optionsOf(bull.redis.url), cluster: "test" });

    await other.add({ name: "other" }, { id: "a" });
    await bull.queue.add({ name: "mine" }, { id: "a" });
    await waitFor(() => done.length > 0);

    expect(done).toEqual(["mine"]);
    expect(await other.counts()).toMatchObject({ waiting: 1 });
  });

  test("in an outage an add fails at once, and works again after it", async () => {
    const { logger } = recordingLogger();
    await using bull = await setup(logger);
    const called: string[] = [];
    bull.queue.onReconnect(() => {
      throw new Error("a listener fails");
    });
    bull.queue.onReconnect(() => called.push("reconnect"));
    await bull.redis.kill();
    await waitFor(() => bull.queue.fault() === "not connected");

    // One that waited for Redis would never end.
    const failed = await bull.queue.add({ name: "a" }, { id: "a" }).then(
      () => "added",
      () => "failed",
    );
    await bull.redis.restart();
    // The connection may be lost once more while the server comes up.
    await waitFor(() => called.length > 0);
    await waitFor(() =>
      bull.queue.add({ name: "b" }, { id: "b" }).then(
        () => true,
        () => false,
      ),
    );

    expect(failed).toBe("failed");
    expect(await bull.queue.counts()).toMatchObject({ waiting: 1 });
  });

  test("a worker goes on after Redis was killed for some seconds: every job is done", async () => {
    await using bull = await setup();
    const done = new Set<string>();
    await bull.work(
      async ({ name }) => {
        await later(20);
        done.add(name);
      },
      { concurrency: 2 },
    );
    for (let i = 0; i < 40; i++) {
      await bull.queue.add({ name: `${i}` }, { id: `${i}`, delayMs: i * 40 });
    }
    await waitFor(() => done.size >= 5);

    await bull.redis.kill();
    await later(3_000);
    await bull.redis.restart();

    await waitFor(() => done.size === 40, { timeout: 40_000 });
    await waitFor(() => bull.queue.fault() === undefined);
    await bull.queue.add({ name: "after" }, { id: "after" });
    await waitFor(() => done.has("after"));
    expect(done.size).toBe(41);
  });

  test("a Redis that comes back empty is told of, and takes new jobs", async () => {
    await using bull = await setup();
    const done: string[] = [];
    let reconnects = 0;
    const worker = await bull.work(async ({ name }) => void done.push(name));
    bull.queue.onReconnect(() => {
      reconnects += 1;
    });
    await bull.queue.add({ name: "lost" }, { id: "a", delayMs: 3_600_000 });

    await outage(bull.redis, bull.queue, true);
    await waitFor(() => reconnects === 1);
    expect(await bull.queue.counts()).toMatchObject({ delayed: 0 });
    await bull.queue.add({ name: "again" }, { id: "a" });

    await waitFor(() => done.length === 1);
    expect(done).toEqual(["again"]);
    expect(worker.fault()).toBeUndefined();
  });

  test("a job whose worker died is done by another", async () => {
    await using bull = await setup();
    await using proxy = await startTcpProxy(bull.redis.port);
    const began = Promise.withResolvers<void>();
    const stuck = await work(`redis://127.0.0.1:${proxy.port}`, async () => {
      began.resolve();
      await new Promise(() => undefined);
    });
    await bull.queue.add({ name: "a" }, { id: "a", attempts: 1 });
    await began.promise;

    proxy.stall();
    const done: string[] = [];
    await bull.work(async ({ name }, { attempt }) => void done.push(`${name} ${attempt}`));

    await waitFor(() => done.length === 1, { timeout: 40_000 });
    expect(done).toEqual(["a 1"]);
    await stuck[Symbol.asyncDispose]();
  });

  test("a Redis that goes away just as a queue is opened loses none of what is added later", async () => {
    await using redis = await startRedis();
    await using door = await startTrapdoor(redis.port);
    await using queue = await openQueue<JobData>(optionsOf(`redis://127.0.0.1:${door.port}`));

    await waitFor(() =>
      queue.add({ name: "a" }, { id: "a" }).then(
        () => true,
        () => false,
      ),
    );

    expect(door.hasOpened()).toBe(true);
    expect(await queue.counts()).toMatchObject({ waiting: 1 });
  });

  test("both wait for a Redis that starts later", async () => {
    const port = await freePort();
    const url = `redis://127.0.0.1:${port}`;
    const { logger, lines } = recordingLogger();
    const done: string[] = [];
    const opening = Promise.all([
      openQueue<JobData>(optionsOf(url, logger)),
      work(url, async ({ name }) => void done.push(name), { logger }),
    ]);
    await waitFor(() => lines.filter((line) => line.msg === "redis error").length >= 2);

    await using _redis = await startRedis({ port });
    const [queue, worker] = await opening;
    await queue.add({ name: "a" }, { id: "a" });
    await waitFor(() => done.length === 1);

    expect([queue.fault(), worker.fault()]).toEqual([undefined, undefined]);
    await worker[Symbol.asyncDispose]();
    await queue[Symbol.asyncDispose]();
  });

  test("a wait for Redis ends with the signal's reason", async () => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    const stop = new AbortController();
    const { logger, lines } = recordingLogger();
    const opening = openQueue<JobData>({ ...optionsOf(url, logger), signal: stop.signal });
    await waitFor(() => lines.some((line) => line.msg === "redis error"));

    stop.abort();

    await expect(opening).rejects.toMatchObject({ name: "AbortError" });
    await expect(
      openQueue<JobData>({ ...optionsOf(url), signal: stop.signal }),
    ).rejects.toMatchObject({ name: "AbortError" });
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });

  test("a disposal lets the job in flight be finished", async () => {
    await using bull = await setup();
    const order: string[] = [];
    const go = Promise.withResolvers<void>();
    const worker = await work(bull.redis.url, async ({ name }) => {
      order.push(`began ${name}`);
      await go.promise;
      order.push(`done ${name}`);
    });
    await bull.queue.add({ name: "a" }, { id: "a" });
    await waitFor(() => order.length === 1);

    const disposed = worker[Symbol.asyncDispose]().then(() => order.push("disposed"));
    go.resolve();
    await disposed;
    await bull.queue.add({ name: "b" }, { id: "b" });

    expect(order).toEqual(["began a", "done a", "disposed"]);
    expect(await bull.queue.counts()).toMatchObject({ waiting: 1, active: 0 });
  });

  test.each([
    ["the signal's reason", (signal: AbortSignal) => signal.reason as Error],
    ["an error of its own", () => new Error("request broken off")],
  ])(
    "a disposal hands back a job that ends with %s, without using an attempt",
    async (_, errorOf) => {
      await using bull = await setup();
      const began = Promise.withResolvers<void>();
      const worker = await work(bull.redis.url, (_job, { signal }) => {
        began.resolve();
        return new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(errorOf(signal)), { once: true });
        });
      });
      await bull.queue.add({ name: "a" }, { id: "a", attempts: 1 });
      await began.promise;
      const elsewhere: string[] = [];
      await bull.work(async ({ name }, { attempt, lastAttempt }) => {
        elsewhere.push(`${name} ${attempt} ${lastAttempt}`);
      });

      await worker[Symbol.asyncDispose]();

      await waitFor(() => elsewhere.length === 1, { timeout: 5_000 });
      expect(elsewhere).toEqual(["a 1 true"]);
      await waitFor(() => idle(bull.queue));
      expect(await bull.queue.counts()).toMatchObject({ failed: 0 });
    },
  );

  test("a disposal gives up a job that does not notice; another worker does it", async () => {
    const { logger, lines } = recordingLogger();
    await using bull = await setup();
    const began = Promise.withResolvers<void>();
    const worker = await work(
      bull.redis.url,
      () => {
        began.resolve();
        return new Promise(() => undefined);
      },
      { logger },
    );
    await bull.queue.add({ name: "a" }, { id: "a", attempts: 1 });
    await began.promise;

    await worker[Symbol.asyncDispose]();

    expect(lines.map((line) => line.msg)).toContain("jobs left to be run again");
    const done: string[] = [];
    await bull.work(async ({ name }) => void done.push(name));
    await waitFor(() => done.length === 1);
    expect(done).toEqual(["a"]);
  });

  test("a disposal in an outage does not wait for Redis", async () => {
    const { logger, lines } = recordingLogger();
    await using redis = await startRedis();
    const queue = await openQueue<JobData>(optionsOf(redis.url));
    const idleWorker = await work(redis.url, async () => undefined, { logger });
    await redis.kill();
    await waitFor(() => queue.fault() !== undefined && idleWorker.fault() !== undefined);

    await idleWorker[Symbol.asyncDispose]();
    await queue[Symbol.asyncDispose]();

    expect([queue.fault(), idleWorker.fault()]).toEqual(["not connected", "not connected"]);
    expect(lines.map((line) => line.msg)).not.toContain("jobs left to be run again");
  });

  test("a disposal in an outage lets the job in flight be finished", async () => {
    const { logger, lines } = recordingLogger();
    await using redis = await startRedis();
    const queue = await openQueue<JobData>(optionsOf(redis.url));
    const order: string[] = [];
    const go = Promise.withResolvers<void>();
    const run = async () => {
      order.push("began");
      await go.promise;
      order.push("done");
    };
    const worker = await work(redis.url, run, { logger });
    await queue.add({ name: "a" }, { id: "a" });
    await waitFor(() => order.length === 1);
    await redis.kill();
    await waitFor(() => worker.fault() !== undefined);

    const disposed = worker[Symbol.asyncDispose]().then(() => order.push("disposed"));
    go.resolve();
    await disposed;
    await queue[Symbol.asyncDispose]();

    expect(order).toEqual(["began", "done", "disposed"]);
    expect(lines.map((line) => line.msg)).not.toContain("jobs left to be run again");
  });

  test("nothing holds the process after the disposal", async () => {
    await using redis = await startRedis();
    const module = (name: string) =>
      JSON.stringify(pathToFileURL(join(import.meta.dirname, "..", "src", name)).href);
    const script = `
      import { openQueue } from ${module("job-queue.ts")};
      import { openWorker } from ${module("worker.ts")};
      import { createLogger } from "@rollcast/runtime/logger";
      const options = { url: ${JSON.stringify(redis.url)}, cluster: "prod", name: "q", logger: createLogger("child", "silent") };
      const queue = await openQueue(options);
      const worker = await openWorker({ ...options, concurrency: 2, backoff: { initial: 1, max: 1 }, process: async () => console.log("ready") });
      await queue.add({}, { id: "a" });
      process.stdin.resume();
      process.once("SIGUSR2", async () => {
        process.stdin.destroy();
        await worker[Symbol.asyncDispose]();
        await queue[Symbol.asyncDispose]();
        console.log("disposed");
      });
    `;
    const lines: string[] = [];
    await using child = await startProcess(
      process.execPath,
      ["--input-type=module", "--eval", script],
      { cwd: join(import.meta.dirname, ".."), onLine: (line) => lines.push(line) },
    );
    await waitFor(() => lines.includes("ready"), { message: child.output() });
    process.kill(child.pid, "SIGUSR2");

    expect(await child.exited).toBe(0);
    expect(lines).toEqual(["ready", "disposed"]);
  });

  test("a job that never ends is seen by its age", async () => {
    await using bull = await setup();
    const gate = Promise.withResolvers<void>();
    const worker = await bull.work(() => gate.promise);
    expect(worker.inFlightMs()).toBe(0);

    await bull.queue.add({ name: "a" }, { id: "a" });

    await waitFor(() => worker.inFlightMs() > 100);
    gate.resolve();
    await waitFor(() => worker.inFlightMs() === 0);
  });

  test("jobs that no worker takes are reported; not those in flight, and not those that a limit holds", async () => {
    await using bull = await setup();
    await bull.queue.add({ name: "a" }, { id: "a" });
    await bull.queue.add({ name: "b" }, { id: "b" });
    await waitFor(async () => (await bull.queue.stalledMs()) > 100);

    await bull.queue.limit({ concurrency: 1, rateLimit: { max: 1, per: 60_000 } });
    const gate = Promise.withResolvers<void>();
    const taken: string[] = [];
    await bull.work(async ({ name }) => {
      taken.push(name);
      await gate.promise;
    });
    await waitFor(() => taken.length === 1);
    const waits = async () => {
      const { waiting, active } = await bull.queue.counts();
      return `${waiting} ${active} ${await bull.queue.stalledMs()}`;
    };
    expect(await waits()).toBe("1 1 0");
    gate.resolve();
    await waitFor(async () => (await bull.queue.counts()).active === 0);
    expect(await waits()).toBe("1 0 0");
  });

  test("a Redis that hangs is found by asking, given up, and used again when it goes on", async () => {
    await using bull = await setup();
    const done: string[] = [];
    const worker = await bull.work(async ({ name }) => void done.push(name));
    expect(await bull.queue.probe()).toBeUndefined();

    bull.redis.freeze();
    expect(await bull.queue.probe()).toBe("no answer in time");
    await waitFor(() => bull.queue.fault() !== undefined && worker.fault() !== undefined);
    bull.redis.thaw();
    await waitFor(async () => (await bull.queue.probe()) === undefined);
    await bull.queue.add({ name: "a" }, { id: "a" });
    await waitFor(() => done.length === 1);
  });

  test("when a worker last did something is known", async () => {
    await using bull = await setup();
    const worker = await bull.work(async () => undefined);
    const before = worker.lastActive();
    await waitFor(() => Date.now() > before);

    await bull.queue.add({ name: "a" }, { id: "a" });

    await waitFor(() => worker.lastActive() > before);
    expect(worker.lastActive()).toBeLessThanOrEqual(Date.now());
  });
});
