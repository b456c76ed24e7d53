import { freePort } from "@rollcast/testkit/net";
import { redisCommand } from "@rollcast/testkit/redis-command";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startTcpProxy } from "@rollcast/testkit/tcp-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { openQueue } from "../src/job-queue.ts";
import type { JobQueue } from "../src/job-queue.ts";
import { openWorker } from "../src/worker.ts";
import { silent } from "./setup.ts";

type Job = { readonly name: string };

const optionsOf = (port: number) => ({
  url: `redis://127.0.0.1:${port}`,
  cluster: "prod",
  name: "rollout-default",
  logger: silent,
});

const MOMENTS = ["waits for jobs", "works on a job"] as const;

/** A worker that waits for jobs, or works on one that does not end before it may. */
async function startWorker(
  undo: AsyncDisposableStack,
  port: number,
  moment: (typeof MOMENTS)[number],
  queue: JobQueue<Job>,
) {
  const began = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  const done = new Set<string>();
  const worker = undo.use(
    await openWorker<Job>({
      ...optionsOf(port),
      concurrency: 8,
      backoff: { initial: 100, max: 200 },
      async process({ name }) {
        began.resolve();
        if (name === "active") await mayEnd.promise;
        done.add(name);
      },
    }),
  );
  if (moment === "works on a job") {
    await queue.add({ name: "active" }, { id: "active" });
    await began.promise;
  }
  return { worker, done, mayEnd };
}

test.concurrent.each(MOMENTS)(
  "Redis is killed while a worker %s: what others add before it is connected again is done",
  async (moment) => {
    await using undo = new AsyncDisposableStack();
    const redis = undo.use(await startRedis());
    const other = undo.use(await openQueue<Job>(optionsOf(redis.port)));
    const proxy = undo.use(await startTcpProxy(redis.port));
    const own = undo.use(await openQueue<Job>(optionsOf(proxy.port)));
    let reconnects = 0;
    own.onReconnect(() => (reconnects += 1));
    const { worker, done, mayEnd } = await startWorker(undo, proxy.port, moment, other);

    proxy.redirect(await freePort());
    await redis.kill();
    await waitFor(() => worker.fault() !== undefined && other.fault() !== undefined);
    await redis.restart();
    await waitFor(() => other.fault() === undefined);
    await other.add({ name: "now" }, { id: "now" });
    await other.add({ name: "later" }, { id: "later", delayMs: 200 });
    proxy.redirect(redis.port);
    mayEnd.resolve();

    await waitFor(() => done.has("now") && done.has("later"));
    await waitFor(() => reconnects === 1);
    await waitFor(async () => Object.values(await other.counts()).every((count) => count === 0));
    expect([...done].filter((name) => name !== "active").toSorted()).toEqual(["later", "now"]);
  },
);

test.concurrent.each(MOMENTS)(
  "Redis becomes a read-only replica while a worker %s: queue and worker go on where new connections lead",
  async (moment) => {
    await using undo = new AsyncDisposableStack();
    const redis = undo.use(await startRedis());
    const promoted = undo.use(await startRedis({ args: ["--shutdown-timeout", "0"] }));
    const proxy = undo.use(await startTcpProxy(redis.port));
    const queue = undo.use(await openQueue<Job>(optionsOf(proxy.port)));
    let reconnects = 0;
    queue.onReconnect(() => (reconnects += 1));
    const { worker, done, mayEnd } = await startWorker(undo, proxy.port, moment, queue);

    proxy.redirect(promoted.port);
    await redisCommand(redis.port, `REPLICAOF 127.0.0.1 ${promoted.port}`);
    mayEnd.resolve();
    await expect(queue.add({ name: "now" }, { id: "now" })).rejects.toThrow("READONLY");
    await waitFor(() => reconnects === 1);
    await queue.add({ name: "now" }, { id: "now" });

    await waitFor(() => done.has("now"));
    await waitFor(() => worker.fault() === undefined && queue.fault() === undefined);
    expect(await queue.probe()).toBeUndefined();
    expect(done.has("active")).toBe(moment === "works on a job");
  },
);

test.concurrent("a queue to which nothing is added notices a read-only replica when it is asked", async () => {
  await using undo = new AsyncDisposableStack();
  const redis = undo.use(await startRedis());
  const promoted = undo.use(await startRedis({ args: ["--shutdown-timeout", "0"] }));
  const proxy = undo.use(await startTcpProxy(redis.port));
  const queue = undo.use(await openQueue<Job>(optionsOf(proxy.port)));

  proxy.redirect(promoted.port);
  await redisCommand(redis.port, `REPLICAOF 127.0.0.1 ${promoted.port}`);
  expect(await queue.probe()).toBe("it is a read-only replica");

  await waitFor(async () => (await queue.probe()) === undefined);
  await queue.add({ name: "now" }, { id: "now" });
});
