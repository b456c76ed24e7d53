import { once } from "node:events";
import { connect } from "node:net";
import { openQueue } from "@rollcast/queue/job-queue";
import { openWorker } from "@rollcast/queue/worker";
import { createLogger } from "@rollcast/runtime/logger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Harness } from "@rollcast/testkit/harness/harness-types";
import { REDIS_USERS, usersFile } from "@rollcast/testkit/harness/shipped-users";
import type { RedisUser } from "@rollcast/testkit/harness/shipped-users";
import { startSecuredServers } from "./stack.ts";

const logger = createLogger("test", "silent");
let bus: Harness;

beforeAll(async () => {
  bus = await startSecuredServers();
});
afterAll(() => bus[Symbol.asyncDispose]());

/**
 * Redis' first line of answer to one command, after those before it
 * (https://redis.io/docs/latest/develop/reference/protocol-spec/, inline commands).
 */
async function answer(commands: readonly string[]): Promise<string> {
  const socket = connect(bus.redis.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.write(`${[...commands, "QUIT"].join("\r\n")}\r\n`);
  await once(socket, "close");
  const lines = text.split("\r\n").filter((line) => /^[-+:$*_%]/.test(line));
  return lines[commands.length - 1] ?? "";
}

function ask(user: RedisUser, command: string): Promise<string> {
  return answer([`AUTH ${user} ${bus.users.passwords[user]}`, command]);
}

const OWN: Readonly<Record<(typeof REDIS_USERS)[number], string>> = {
  restarter: "{rollcast-test}:rollout-default:wait",
  notifier: "{rollcast-test}:notify-hook:wait",
};

describe.each(REDIS_USERS)("%s", (user) => {
  test("works on its own queues", async () => {
    const name = user === "restarter" ? "rollout-default" : "notify-hook";
    const { password } = { password: bus.users.passwords[user] };
    const options = {
      url: bus.redis.url.replace("redis://", `redis://${user}:${password}@`),
      cluster: "test",
      name,
      logger,
    };
    await using queue = await openQueue<{ n: number }>(options);
    const done: number[] = [];
    const twice = Promise.withResolvers<void>();
    await using _worker = await openWorker<{ n: number }>({
      ...options,
      concurrency: 2,
      backoff: { initial: 1, max: 1 },
      rateLimit: { max: 100, periodMs: 100 },
      process: async ({ n }, { attempt }) => {
        // Retries, delays and deduplication have scripts of their own.
        if (attempt === 1) throw new Error("once more");
        done.push(n);
        if (done.length === 2) twice.resolve();
      },
    });
    await queue.add({ n: 1 }, { id: "a", delayMs: 10 });
    await queue.addAndWake({ n: 2 }, { id: "b" });
    await twice.promise;
    expect(done.toSorted()).toEqual([1, 2]);
    expect(await queue.counts()).toMatchObject({ failed: 0 });
  });

  test("reads and writes no key of another", async () => {
    for (const other of REDIS_USERS) {
      const verdict = other === user ? /^[:*]/ : /^-NOPERM/;
      expect(await ask(user, `LLEN ${OWN[other]}`), other).toMatch(verdict);
    }
    expect(await ask(user, "SET foreign 1")).toMatch(/^-NOPERM/);
    expect(await ask(user, "GET {rollcast-other}:rollout-default:meta")).toMatch(/^-NOPERM/);
    expect(await ask(user, "SUBSCRIBE x")).toMatch(/^-NOPERM/);
  });

  test.each(["FLUSHALL", "KEYS *", "SCAN 0", "CONFIG GET *", "ACL LIST", "SHUTDOWN", "MONITOR"])(
    "may not %s",
    async (command) => {
      expect(await ask(user, command)).toMatch(/^-NOPERM/);
    },
  );
});

test("without a password one may ping, which is the health check, and nothing else", async () => {
  expect(await answer(["PING"])).toBe("+PONG");
  for (const command of ["GET x", "INFO", "KEYS *"]) {
    expect(await answer([command]), command).toMatch(/^-NOPERM/);
  }
});

test("the user of the one process may do what the two may, in a file that has neither of them", async () => {
  const lines = async (shape: "services" | "all-in-one") =>
    (await usersFile("redis-users.txt", shape)).trim().split("\n");
  const rules = (line = "") =>
    line.split(" ").filter((word) => !/^(?:#.*|restarter|notifier|all-in-one)$/.test(word));
  const [nobody, restarter, notifier] = await lines("services");
  const [nobodyToo, own, ...others] = await lines("all-in-one");

  expect(nobodyToo).toBe(nobody);
  expect(rules(own).toSorted()).toEqual(
    [...new Set([...rules(restarter), ...rules(notifier)])].toSorted(),
  );
  // A later word may take back an earlier one.
  expect(rules(own).filter((rule) => !rule.startsWith("~"))).toEqual(
    rules(restarter).filter((rule) => !rule.startsWith("~")),
  );
  expect(others).toEqual([]);
  expect(await ask("all-in-one", "GET x")).toMatch(/^-NOPERM/);
});
