import fc from "fast-check";
import { expect, test } from "vitest";
import { TerminalError } from "@rollcast/shared/errors";
import { createLogger } from "./logger.ts";
import type { Logger, LogLevel } from "./logger.ts";
import { SECRET_KEYS } from "./mask.ts";

type Line = Record<string, unknown> & { err?: Record<string, unknown> };

/** What `write` logs, as text and parsed. */
function logged(write: (log: Logger) => void, level: LogLevel = "trace") {
  const lines: string[] = [];
  write(createLogger("watcher", level, { write: (line: string) => lines.push(line) }));
  return { text: lines.join(""), lines: lines.map((line) => JSON.parse(line) as Line) };
}

test("a line is JSON with time, level by name, service, data and message", () => {
  const { lines } = logged((log) => log.info({ workload: "shop/web", n: 1 }, "rollout started"));

  expect(lines).toEqual([
    {
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: "info",
      service: "watcher",
      workload: "shop/web",
      n: 1,
      msg: "rollout started",
    },
  ]);
});

test("only what is as important as the level is written", () => {
  const say = (log: Logger) => {
    log.debug("a");
    log.info("b");
    log.warn("c");
  };

  expect(logged(say, "info").lines.map((line) => line.msg)).toEqual(["b", "c"]);
  expect(logged(say, "silent").lines).toEqual([]);
});

test("an error keeps its name, code, reason, stack and causes, masked", () => {
  const root = new Error("connect nats://ops:pw@nats:4222");
  const err = new TerminalError("Forbidden", "https://x.y/z?sig=abc was refused", { cause: root });

  const { lines, text } = logged((log) => log.error({ err }, "not sent"));

  expect(lines[0]?.err).toMatchObject({
    type: "TerminalError",
    reason: "Forbidden",
    message: "https://x.y/*** was refused",
    stack: expect.stringContaining("logger.test.ts"),
    cause: { type: "Error", message: "connect nats://***@nats:4222" },
  });
  expect(text).not.toContain("sig=abc");
  expect(text).not.toContain("ops:pw");
});

test("an error given alone is masked in the message too", () => {
  const { lines, text } = logged((log) => log.error(new Error("redis://:pw@redis is gone")));

  expect(lines[0]).toMatchObject({
    msg: "redis://***@redis is gone",
    err: { type: "Error", message: "redis://***@redis is gone" },
  });
  expect(text).not.toContain("pw@");
});

test("something thrown that is no error is told as it is", () => {
  const { lines } = logged((log) => log.error({ err: "Bearer abcdef" }, "odd"));

  expect(lines[0]).toMatchObject({ err: "Bearer ***" });
});

const secret = fc.stringMatching(/^[A-Za-z0-9]{12,30}$/);

test("a secret under a secret key is never written, at any depth and in a child's bindings", () => {
  fc.assert(
    fc.property(secret, fc.constantFrom(...SECRET_KEYS), (value, key) => {
      const { text, lines } = logged((log) => {
        log.info({ [key]: value }, "top");
        log.info({ a: { [key]: value } }, "one down");
        log.info({ a: { b: [{ c: { [key.toUpperCase()]: { d: value } } }] } }, "deep");
        log.child({ [key]: value, request: { [key]: value } }).info({ ok: 1 }, "child");
      });
      expect(lines).toHaveLength(4);
      expect(text).not.toContain(value);
    }),
    { numRuns: 50 },
  );
});

test("a secret in a URL or a bearer token is never written, wherever it is put", () => {
  fc.assert(
    fc.property(secret, (value) => {
      const texts = [`nats://a:${value}@b:1`, `https://c/d?e=${value}`, `Bearer ${value}`];
      const { text, lines } = logged((log) => {
        for (const leak of texts) {
          const cause = new Error(leak, { cause: new Error(`"${leak}"`) });
          log.warn({ target: leak, nested: { list: [leak] } }, leak);
          log.warn({ err: new Error("outer", { cause }) }, "chain");
          log.child({ peer: leak }).warn("bound");
        }
      });
      expect(lines).toHaveLength(9);
      expect(text).not.toContain(value);
    }),
    { numRuns: 50 },
  );
});
