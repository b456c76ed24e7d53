import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { startProcess } from "@rollcast/testkit/process";
import type { Running } from "@rollcast/testkit/process";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";

/** Longer than a starved process needs to end. */
const GRACE_MS = 25_000;
/** Of the one disposal that must be cut. */
const SHORT_GRACE_MS = 500;
const HEAD = `
import { ConfigError } from ${JSON.stringify(import.meta.resolve("@rollcast/shared/errors"))};
import { createLogger } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "logger.ts")).href)};
import { run } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "run.ts")).href)};
const say = (text) => process.stdout.write(text + "\\n");
const opened = (name, close = async () => undefined) => {
  say("open " + name);
  return { async [Symbol.asyncDispose]() { say("closing " + name); await close(); say("closed " + name); } };
};
const forever = () => new Promise(() => undefined);
const logger = createLogger("test");
`;

/** A service of its own process whose start is `body`. */
async function service(body: string, graceMs = GRACE_MS) {
  const dir = await mkdtemp(join(tmpdir(), "rollcast-run-"));
  const file = join(dir, "main.mjs");
  await writeFile(
    file,
    `${HEAD}\nawait run(logger, async (stack, signal) => {\n${body}\n}, ${graceMs});\n`,
  );
  const lines: string[] = [];
  const running: Running = await startProcess(process.execPath, [file], {
    onLine: (line) => lines.push(line),
  });
  return {
    lines,
    /** Lines that the service itself said. */
    ownLines: () => lines.filter((line) => !line.startsWith("{")),
    logs: () => lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)),
    running,
    waitLine: (part: string) =>
      waitFor(() => lines.some((line) => line.includes(part)), {
        every: 10,
        message: `"${part}" in ${running.output()}`,
      }),
    async [Symbol.asyncDispose]() {
      await running.kill("SIGKILL");
      await rm(dir, { recursive: true, force: true });
    },
  };
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s disposes the newest first and ends with 0",
  async (signal) => {
    await using child = await service(`
      stack.use(opened("http"));
      stack.use(opened("nats"));
      signal.addEventListener("abort", () => say("aborted"));
      stack.use(opened("work"));
      say("ready");
    `);
    await child.waitLine("ready");

    expect(await child.running.kill(signal)).toBe(0);

    expect(child.ownLines().slice(4)).toEqual([
      "aborted",
      "closing work",
      "closed work",
      "closing nats",
      "closed nats",
      "closing http",
      "closed http",
    ]);
    expect(child.logs()).toMatchObject([
      { msg: "stopping", signal },
      { msg: "stopped", exitCode: 0 },
    ]);
  },
);

test("a service that only waits goes on until it is told to stop", async () => {
  await using child = await service(`say("ready");`);
  await child.waitLine("ready");

  expect(child.running.hasExited()).toBe(false);
  expect(await child.running.kill("SIGTERM")).toBe(0);
});

test("an error of the start closes what was opened and ends with 1", async () => {
  await using child = await service(`
    stack.use(opened("http"));
    stack.use(opened("nats"));
    throw new Error("no redis://:pw@redis");
  `);

  expect(await child.running.exited).toBe(1);

  expect(child.ownLines()).toEqual([
    "open http",
    "open nats",
    "closing nats",
    "closed nats",
    "closing http",
    "closed http",
  ]);
  expect(child.logs()).toMatchObject([
    { level: "fatal", msg: "stopped by an error", err: { message: "no redis://***@redis" } },
    { msg: "stopped", exitCode: 1 },
  ]);
});

test("each fault of a configuration gets a line of its own, and none a stack", async () => {
  await using child = await service(
    `throw new ConfigError("f is refused:\\n  a: is missing\\n  b: is empty", { cause: new Error("c") });`,
  );

  expect(await child.running.exited).toBe(1);

  const logs = child.logs();
  expect(logs).toMatchObject([
    { level: "error", msg: "configuration fault", fault: "f is refused:" },
    { level: "error", msg: "configuration fault", fault: "a: is missing" },
    { level: "error", msg: "configuration fault", fault: "b: is empty" },
    { level: "fatal", msg: "stopped by an error" },
    { msg: "stopped", exitCode: 1 },
  ]);
  expect(logs[3].err).toMatchObject({
    type: "ConfigError",
    message: expect.stringContaining("a: is"),
  });
  expect(JSON.stringify(logs[3].err)).not.toContain("stack");
});

test("an error of a disposal lets the others be disposed and ends with 1", async () => {
  await using child = await service(`
    stack.use(opened("http"));
    stack.use(opened("nats", async () => { throw new Error("not drained"); }));
    say("ready");
  `);
  await child.waitLine("ready");

  expect(await child.running.kill("SIGTERM")).toBe(1);

  expect(child.ownLines()).toContain("closed http");
  expect(child.logs()).toContainEqual(
    expect.objectContaining({
      msg: "stopped by an error",
      err: expect.objectContaining({ message: "not drained" }),
    }),
  );
});

test("errors of the start and of the disposal are both told", async () => {
  await using child = await service(`
    stack.use(opened("nats", async () => { throw new Error("not drained"); }));
    throw new Error("no cluster");
  `);

  expect(await child.running.exited).toBe(1);

  const text = JSON.stringify(child.logs());
  expect(text).toContain("no cluster");
  expect(text).toContain("not drained");
});

test("a start that ends because of the signal is no error", async () => {
  await using child = await service(`
    stack.use(opened("http"));
    say("waiting");
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  `);
  await child.waitLine("waiting");

  expect(await child.running.kill("SIGTERM")).toBe(0);

  expect(child.ownLines()).toContain("closed http");
  expect(child.logs().some((line) => line.level === "fatal")).toBe(false);
});

test("a start that does not notice the signal is left behind, and what it opened is disposed", async () => {
  await using child = await service(`
    stack.use(opened("http"));
    say("waiting");
    await forever();
  `);
  await child.waitLine("waiting");

  expect(await child.running.kill("SIGTERM")).toBe(0);

  expect(child.ownLines()).toContain("closed http");
});

test("a disposal that hangs is cut at the grace period", async () => {
  await using child = await service(
    `
    stack.use(opened("http"));
    stack.use(opened("work", forever));
    say("ready");
  `,
    SHORT_GRACE_MS,
  );
  await child.waitLine("ready");

  expect(await child.running.kill("SIGTERM")).toBe(1);

  expect(child.ownLines()).toContain("closing work");
  expect(child.ownLines()).not.toContain("closing http");
  expect(child.logs().at(-1)).toMatchObject({
    level: "fatal",
    msg: "not stopped within the grace period",
    graceMs: SHORT_GRACE_MS,
  });
});

test("a second signal ends at once", async () => {
  await using child = await service(`
    stack.use(opened("work", forever));
    say("ready");
  `);
  await child.waitLine("ready");
  process.kill(child.running.pid, "SIGTERM");
  await child.waitLine("closing work");

  expect(await child.running.kill("SIGINT")).toBe(1);

  expect(child.logs().some((line) => line.level === "fatal")).toBe(false);
});

test("what still holds the event loop after the disposal does not keep the process", async () => {
  await using child = await service(`
    setInterval(() => undefined, 1_000);
    say("ready");
  `);
  await child.waitLine("ready");

  expect(await child.running.kill("SIGTERM")).toBe(0);
});

test.each([
  ["an exception", `setTimeout(() => { throw new Error("at redis://:pw@redis"); }, 1);`],
  ["a rejection", `Promise.reject(new Error("at redis://:pw@redis"));`],
])("%s that nobody caught is told, masked, and ends with 1", async (_, body) => {
  await using child = await service(`stack.use(opened("http"));\n${body}`);

  expect(await child.running.exited).toBe(1);

  expect(child.logs()).toMatchObject([
    { level: "fatal", msg: "crashed", err: { message: "at redis://***@redis" } },
  ]);
  expect(child.lines.join("\n")).not.toContain(":pw@");
});

test("what was logged before a crash is written before it, also when every thread is busy", async () => {
  await using child = await service(`
    const { pbkdf2 } = await import("node:crypto");
    for (let i = 0; i < 16; i++) pbkdf2("a", "b", 200_000, 64, "sha512", () => undefined);
    logger.info("before");
    setTimeout(() => { throw new Error("after"); }, 1);
  `);

  expect(await child.running.exited).toBe(1);

  expect(child.logs().map(({ msg }) => msg)).toEqual(["before", "crashed"]);
});
