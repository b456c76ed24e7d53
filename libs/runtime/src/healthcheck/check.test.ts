import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { startProcess } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";
import { describe, expect, test } from "vitest";
import { check } from "./check.ts";
import type { CheckOptions } from "./check.ts";

/**
 * Answers as the files beside it say, and ends at SIGTERM, unless one of them says that it is deaf.
 */
const SERVICE = `
import { createServer } from "node:http";
import { existsSync, readFileSync } from "node:fs";
const has = (name) => existsSync(new URL(name, import.meta.url));
const text = (name) => (has(name) ? readFileSync(new URL(name, import.meta.url), "utf8") : undefined);
const server = createServer((request, response) => {
  const fault = text(request.url.slice(1));
  response.writeHead(fault === undefined ? 200 : 503).end(fault ?? "ok\\n");
});
process.on("SIGTERM", () => { if (!has("deaf")) process.exit(0); });
server.listen(0, "127.0.0.1", () => console.log("listening " + server.address().port + " " + process.pid));
`;

/**
 * A service below an init, which is a shell here: with its number, files that steer it, and the
 * check of it.
 */
async function start() {
  await using undo = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "rollcast-check-"));
  undo.defer(() => rmSync(dir, { recursive: true, force: true }));
  const main = join(dir, "service.mjs");
  writeFileSync(main, SERVICE);
  let started: string[] | undefined;
  const init = undo.use(
    await startProcess("/bin/sh", ["-c", '"$@" & wait', "init", process.execPath, main], {
      onLine: (line) => {
        started ??= /^listening (\d+) (\d+)$/.exec(line)?.slice(1);
      },
    }),
  );
  const [port, pid] = (await waitFor(() => started, { message: "the service to listen" })).map(
    Number,
  );
  if (port === undefined || pid === undefined) throw new Error("the service said nothing");
  const isAlive = () => existsSync(`/proc/${pid}`);
  undo.defer(() => {
    if (isAlive()) process.kill(pid, "SIGKILL");
  });
  const memoryFile = join(dir, "memory.json");
  const given = { port, initPid: init.pid, memoryFile };
  const kept = undo.move();
  return {
    pid,
    init,
    memoryFile,
    say: (name: "readyz" | "livez" | "deaf", text: string) => writeFileSync(join(dir, name), text),
    unsay: (name: "readyz" | "livez") => rmSync(join(dir, name)),
    check: (options: Partial<CheckOptions> = {}) => check({ ...given, ...options }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Ended as soon as it may be. */
const AT_ONCE = { endAfterMs: 0, startWithinMs: 0, graceMs: 60_000 };

test("what /readyz says is told, be it well or not", async () => {
  await using service = await start();
  expect(await service.check()).toEqual({ ready: true, text: "ok\n" });
  service.say("readyz", "nats: not connected\nredis: no answer\n");
  expect(await service.check()).toEqual({
    ready: false,
    text: "nats: not connected\nredis: no answer\n",
  });
  // Without a limit nothing else is asked, and nothing written.
  expect(existsSync(service.memoryFile)).toBe(false);
  service.say("readyz", `a\u001b[31mb\r\n\n${"ü".repeat(4_000)}`);
  const { text } = await service.check();
  expect(text).toMatch(/^a \[31mb \nü+\.\.\.\n$/);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4_096);
  expect(Buffer.byteLength(text)).toBeGreaterThan(4_090);
});

describe.runIf(process.platform === "linux")("with a limit", () => {
  test("a service that stays not live is asked to end at its third failure, and ends well", async () => {
    await using service = await start();
    expect(await service.check(AT_ONCE)).toEqual({ ready: true, text: "ok\n" });
    service.say("livez", "work: a job is running for 400 s\n");
    const waiting =
      /^not live for \d+ s, ended after 0 s\nlivez: work: a job is running for 400 s\nok\n$/;
    for (const _ of [1, 2]) {
      const { ready, text } = await service.check(AT_ONCE);
      expect(text).toMatch(waiting);
      expect(ready).toBe(true);
    }
    const { text } = await service.check(AT_ONCE);
    expect(text).toMatch(/^not live for \d+ s: asked to end, so that it is started again\nlivez: /);
    expect(await service.init.exited).toBe(0);
  });

  test("a service that is live again between failures is not ended", async () => {
    await using service = await start();
    for (const _ of [1, 2]) {
      service.say("livez", "work: stuck\n");
      await service.check(AT_ONCE);
      await service.check(AT_ONCE);
      service.unsay("livez");
      expect((await service.check(AT_ONCE)).text).toBe("ok\n");
    }
    expect(existsSync(`/proc/${service.pid}`)).toBe(true);
  });

  test("a service that does not end when told is killed by a later check", async () => {
    await using service = await start();
    service.say("deaf", "");
    service.say("livez", "work: stuck\n");
    for (const _ of [1, 2, 3]) await service.check(AT_ONCE);
    service.unsay("livez");
    // Being live again does not undo it: the service is stopping.
    expect((await service.check(AT_ONCE)).text).toMatch(
      /^the service was asked to end \d+ s ago\nok\n$/,
    );
    const { text } = await service.check({ ...AT_ONCE, graceMs: 0 });
    expect(text).toMatch(/^killed: it did not end within \d+ s\n/);
    await service.init.exited;
    expect(existsSync(`/proc/${service.pid}`)).toBe(false);
  });

  test("a process that is stopped answers nothing, and is killed", async () => {
    await using service = await start();
    process.kill(service.pid, "SIGSTOP");
    const options = { ...AT_ONCE, timeoutMs: 50 };
    for (const _ of [1, 2, 3]) await service.check(options);
    const { ready, text } = await service.check({ ...options, graceMs: 0 });
    expect(text).toContain("/livez is not reachable: no answer within 0.05 s\n");
    expect(text).toContain("/readyz is not reachable: no answer within 0.05 s\n");
    expect(ready).toBe(false);
    await service.init.exited;
  });

  test("a service that was never live has the time of a start", async () => {
    await using service = await start();
    service.say("livez", "work: not started\n");
    const limits = { endAfterMs: 0, graceMs: 60_000 };
    for (const _ of [1, 2, 3]) {
      expect((await service.check(limits)).text).toMatch(
        /^not live since its start for \d+ s, ended after 120 s/,
      );
    }
    expect((await service.check({ ...limits, startWithinMs: 0 })).text).toContain("asked to end");
    expect(await service.init.exited).toBe(0);
  });

  test("what was written down of an earlier life of the container does not count", async () => {
    await using earlier = await start();
    for (const _ of [1, 2]) {
      earlier.say("livez", "work: stuck\n");
      await earlier.check(AT_ONCE);
    }
    await using service = await start();
    writeFileSync(service.memoryFile, readFileSync(earlier.memoryFile));
    service.say("livez", "work: stuck\n");
    for (const _ of [1, 2]) {
      expect((await service.check(AT_ONCE)).text).toMatch(
        /^not live since its start .*, ended after/,
      );
    }
    expect(JSON.parse(readFileSync(service.memoryFile, "utf8"))).toMatchObject({ failures: 2 });
  });

  test.each(["", "null", "[]", '{"process":1}', "{"])(
    "a file that holds %j counts as none",
    async (text) => {
      await using service = await start();
      writeFileSync(service.memoryFile, text);
      expect(await service.check(AT_ONCE)).toEqual({ ready: true, text: "ok\n" });
      expect(JSON.parse(readFileSync(service.memoryFile, "utf8"))).toMatchObject({ live: true });
    },
  );

  test.each<[string, Partial<CheckOptions>, RegExp]>([
    [
      "there is no init",
      { initPid: process.pid },
      /process \d+ is the service itself.*\(init: true\)/,
    ],
    [
      "nothing can be written down",
      { memoryFile: "/proc/none/memory.json" },
      /\/proc\/none\/memory\.json cannot be written: no such file .*tmpfs/,
    ],
  ])("where %s it says so and ends nothing", async (_, options, why) => {
    await using service = await start();
    service.say("livez", "work: stuck\n");
    for (const __ of [1, 2, 3, 4]) {
      const { text } = await service.check({ ...AT_ONCE, ...options });
      expect(text).toMatch(/^a service that is not live will not be ended: /);
      expect(text).toMatch(why);
    }
    expect(existsSync(`/proc/${service.pid}`)).toBe(true);
  });
});
