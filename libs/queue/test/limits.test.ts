import { setTimeout as later } from "node:timers/promises";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { startRedis } from "@rollcast/testkit/redis-server";
import type { RedisServer } from "@rollcast/testkit/redis-server";
import { waitFor } from "@rollcast/testkit/wait";
import { describe, expect, test } from "vitest";
import { openQueue } from "../src/job-queue.ts";
import type { JobQueue } from "../src/job-queue.ts";
import { openWorker } from "../src/worker.ts";
import { silent } from "./setup.ts";

const JOBS = Array.from({ length: 8 }, (_, i) => `${i}`);

function optionsOf({ url }: RedisServer) {
  return { url, cluster: "prod", name: "rollout-default", logger: silent };
}

function openWork(redis: RedisServer, process: (name: string) => Promise<void>) {
  return openWorker<string>({
    ...optionsOf(redis),
    concurrency: 8,
    backoff: { initial: 100, max: 100 },
    process,
  });
}

async function addJobs(queue: JobQueue<string>): Promise<void> {
  for (const id of JOBS) await queue.add(id, { id });
}

async function command(redis: RedisServer, line: string): Promise<string> {
  const socket = connect(redis.port, "127.0.0.1");
  socket.end(`${line}\r\nQUIT\r\n`);
  return text(socket);
}

describe.concurrent("limits", () => {
  test("a shorter window cuts the one under way and keeps its count, whichever replica sets it", async () => {
    await using redis = await startRedis();
    await using queue = await openQueue<string>(optionsOf(redis));
    await using replica = await openQueue<string>(optionsOf(redis));
    await queue.limit({ concurrency: 8, rateLimit: { max: 2, per: 3_600_000 } });
    const starts: number[] = [];
    await using _worker = await openWork(redis, async () => void starts.push(Date.now()));
    await addJobs(queue);
    await waitFor(() => starts.length === 2);

    const limits = { concurrency: 8, rateLimit: { max: 5, per: 6_000 } };
    const cut = Date.now();
    await queue.limit(limits);
    await waitFor(() => starts.length === 5);
    await replica.limit(limits);
    await waitFor(() => starts.length === JOBS.length);

    // Three more in the window that was under way, the rest in the next one.
    expect((starts[4] ?? 0) - cut).toBeLessThan(6_000);
    expect((starts[5] ?? 0) - cut).toBeGreaterThanOrEqual(6_000);
  });

  test("a higher concurrency reaches workers that wait", async () => {
    await using redis = await startRedis();
    await using queue = await openQueue<string>(optionsOf(redis));
    await queue.limit({ concurrency: 1 });
    const go = Promise.withResolvers<void>();
    let running = 0;
    await using _worker = await openWork(redis, async () => {
      running++;
      await go.promise;
    });
    await addJobs(queue);
    await waitFor(() => running === 1);
    // The worker has asked once more, and waits for a sign of Redis.
    await waitFor(async () => (await command(redis, "CLIENT LIST")).includes("flags=b "));

    const raised = Date.now();
    await queue.limit({ concurrency: 4 });
    await waitFor(() => running === 4);

    expect(Date.now() - raised).toBeLessThan(3_000);
    go.resolve();
    await waitFor(() => running === JOBS.length);
  });

  test("limits hold again in a Redis that came back empty, before anything is added", async () => {
    await using redis = await startRedis();
    await using queue = await openQueue<string>(optionsOf(redis));
    await queue.limit({ concurrency: 2 });
    let [running, most, done] = [0, 0, 0];
    await using _worker = await openWork(redis, async () => {
      most = Math.max(most, ++running);
      await later(50);
      running--;
      done++;
    });
    const reconnected = Promise.withResolvers<void>();
    queue.onReconnect(() => addJobs(queue).then(reconnected.resolve, reconnected.reject));

    await redis.restart({ empty: true });
    await reconnected.promise;
    await waitFor(() => done === JOBS.length);

    expect(most).toBe(2);
  });

  test("a queue that was paused in BullMQ stays so", async () => {
    await using redis = await startRedis();
    await using queue = await openQueue<string>(optionsOf(redis));
    const meta = "{rollcast-prod}:rollout-default:meta";
    await command(redis, `HSET ${meta} paused 1`);

    await queue.limit({ concurrency: 2 });

    expect(await command(redis, `HMGET ${meta} paused concurrency`)).toContain(
      "$1\r\n1\r\n$1\r\n2",
    );
  });
});
