import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { describe, expect, test } from "vitest";
import { decideHealth } from "./decide-health.ts";
import type { Memory, HealthObservation } from "./decide-health.ts";

const LIMITS = { endAfterMs: 60_000, startWithinMs: 120_000, graceMs: 30_000 };
const NOW = 1_000_000;
const ID = "boot 7 100";

const memory = (parts: Partial<Memory>): Memory => ({
  process: ID,
  live: true,
  failures: 0,
  since: 0,
  ...parts,
});
const observe = (parts: Partial<HealthObservation>) =>
  decideHealth({ process: ID, live: false, now: NOW, memory: undefined, ...parts }, LIMITS);
const ago = (ms: number) => NOW - ms;

describe("a service that is live", () => {
  test.each([
    ["seen for the first time", undefined],
    ["that failed before", memory({ failures: 9, since: ago(59_000) })],
    ["that has started", memory({ live: false, failures: 9, since: ago(119_000) })],
  ])("%s is left alone, and what it failed before is forgotten", (_, before) => {
    const decision = observe({ live: true, memory: before });
    expect(decision).toEqual({ memory: expect.objectContaining({ live: true, failures: 0 }) });
    // The next failure is the first.
    const next = observe({ memory: decision.memory, now: NOW + 500_000 });
    expect(next.signal).toBeUndefined();
    expect(next.memory).toMatchObject({ failures: 1, since: NOW + 500_000 });
  });

  test("gives nothing new to write down", () => {
    const { memory: first } = observe({ live: true });
    expect(observe({ live: true, memory: first, now: NOW + 10_000 }).memory).toEqual(first);
  });
});

describe("a service that is not live", () => {
  test.each([
    ["for the first time", memory({}), undefined, "not live for 0 s, ended after 60 s"],
    [
      "for less than the limit",
      memory({ failures: 9, since: ago(59_000) }),
      undefined,
      "not live for 59 s, ended after 60 s",
    ],
    [
      "for the limit",
      memory({ failures: 5, since: ago(60_000) }),
      "SIGTERM",
      "not live for 60 s: asked to end, so that it is started again",
    ],
    [
      "for the limit, at two checks only",
      memory({ failures: 1, since: ago(500_000) }),
      undefined,
      /^not live for 500 s/,
    ],
    [
      "for the limit, at three checks",
      memory({ failures: 2, since: ago(500_000) }),
      "SIGTERM",
      /asked to end/,
    ],
    [
      "since it started, for less than that may take",
      memory({ live: false, failures: 9, since: ago(119_000) }),
      undefined,
      "not live since its start for 119 s, ended after 120 s",
    ],
    [
      "since it started, for as long as that may take",
      memory({ live: false, failures: 9, since: ago(120_000) }),
      "SIGTERM",
      /^not live since its start for 120 s: asked/,
    ],
    [
      "and nothing is known of before",
      undefined,
      undefined,
      "not live since its start for 0 s, ended after 120 s",
    ],
    [
      "whose predecessor failed",
      memory({ process: "boot 7 99", failures: 9, since: ago(500_000) }),
      undefined,
      /^not live since its start for 0 s/,
    ],
    [
      "whose predecessor was asked to end",
      memory({ process: "boot 7 99", endedAt: ago(500_000) }),
      undefined,
      /^not live since its start for 0 s/,
    ],
    [
      "as before the machine started",
      memory({ failures: 9, since: NOW + 1 }),
      undefined,
      /^not live since its start for 0 s/,
    ],
  ] as const)("%s", (_, before, signal, note) => {
    const decision = observe({ memory: before });
    expect(decision.signal).toBe(signal);
    if (typeof note === "string") expect(decision.note).toBe(note);
    else expect(decision.note).toMatch(note);
    expect(decision.memory.endedAt).toBe(signal === "SIGTERM" ? NOW : undefined);
  });
});

describe("a service that was asked to end", () => {
  test.each([
    [false, 29_000, undefined, "the service was asked to end 29 s ago"],
    [true, 29_000, undefined, "the service was asked to end 29 s ago"],
    [false, 30_000, "SIGKILL", "killed: it did not end within 30 s"],
    [true, 30_000, "SIGKILL", "killed: it did not end within 30 s"],
  ] as const)("and is live: %s, after %d ms: %s", (live, ms, signal, note) => {
    const before = memory({ failures: 9, since: ago(90_000), endedAt: ago(ms) });
    expect(observe({ live, memory: before })).toEqual({
      memory: before,
      signal,
      note,
    });
  });
});

test("a service that fails at every check is asked to end once, after a minute, and killed after its grace", () => {
  const signals: [number, string][] = [];
  let before: Memory | undefined = observe({ live: true, now: 0 }).memory;
  for (let now = 10_000; now <= 110_000; now += 10_000) {
    const decision = observe({ now, memory: before });
    before = decision.memory;
    if (decision.signal !== undefined) signals.push([now, decision.signal]);
  }
  expect(signals.slice(0, 2)).toEqual([
    [70_000, "SIGTERM"],
    [100_000, "SIGKILL"],
  ]);
});

test("a start may take as long as in the chart", () => {
  const chart = join(repositoryRoot(), "deploy", "charts", "rollcast", "templates", "_service.tpl");
  const text = readFileSync(chart, "utf8");
  const probe = (name: string) => {
    const [line = ""] = new RegExp(`${name}: .*`).exec(text) ?? [];
    const number = (key: string) => Number(new RegExp(`${key}: (\\d+)`).exec(line)?.[1]);
    return {
      ms: number("periodSeconds") * number("failureThreshold") * 1_000,
      timeout: number("timeoutSeconds"),
    };
  };
  expect(probe("startupProbe").ms).toBe(LIMITS.startWithinMs);
  expect(probe("livenessProbe")).toEqual({ ms: LIMITS.endAfterMs, timeout: 6 });
});
