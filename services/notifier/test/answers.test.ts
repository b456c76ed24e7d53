import { expect, test } from "vitest";
import { localSecurity } from "@rollcast/testkit/harness/base-config";
import type { TestAnswer } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { startNotifierHarness } from "./harness.ts";
import type { NotifierHarness } from "./harness.ts";

const KINDS = ["webhook", "slack", "teams"] as const;
type Kind = (typeof KINDS)[number];

/**
 * What a receiver answers, and what is promised then: the way it ends, and after how many attempts
 * and pauses.
 */
type Case = {
  readonly name: string;
  readonly answer: TestAnswer;
  /** The answers after the first. */
  readonly later?: TestAnswer;
  readonly end: "sent" | "dead" | "waits";
  readonly reason?: string;
  /** Of Slack's webhooks, which say `ok`, where it is another. */
  readonly slack?: { readonly end: "sent" | "dead" | "waits"; readonly reason?: string };
};

const HUGE = "x".repeat(2_000_000);
const NOT_OK = { end: "waits", reason: "NotOk" } as const;

const CASES: readonly Case[] = [
  { name: "200", answer: { status: 200, body: "ok" }, end: "sent" },
  { name: "202", answer: { status: 202, body: "" }, end: "sent", slack: NOT_OK },
  {
    name: "429 with Retry-After",
    answer: { status: 429, headers: { "retry-after": "2" } },
    later: { body: "ok" },
    end: "sent",
  },
  {
    name: "503 with Retry-After",
    answer: { status: 503, headers: { "retry-after": "2" } },
    later: { body: "ok" },
    end: "sent",
  },
  { name: "503", answer: { status: 503 }, end: "waits", reason: "Http503" },
  { name: "500", answer: { status: 500 }, end: "waits", reason: "Http500" },
  {
    name: "302",
    answer: { status: 302, headers: { location: "/200" } },
    end: "dead",
    reason: "Redirect",
  },
  { name: "401", answer: { status: 401 }, end: "dead", reason: "Unauthorized" },
  { name: "410", answer: { status: 410 }, end: "dead", reason: "Gone" },
  { name: "413", answer: { status: 413 }, end: "dead", reason: "TooLarge" },
  { name: "a hang", answer: { instead: "hang" }, end: "waits", reason: "Timeout" },
  { name: "a reset", answer: { instead: "reset" }, end: "waits", reason: "Network" },
  { name: "a slow body", answer: { instead: "trickle" }, end: "sent", slack: NOT_OK },
  { name: "a huge body", answer: { body: HUGE }, end: "sent", slack: NOT_OK },
];

const nameOf = (kind: Kind, { name }: Case) => `${kind}-${name.toLowerCase().replaceAll(" ", "-")}`;
const ALL = KINDS.flatMap((kind) =>
  CASES.map((answerCase) => ({ kind, answerCase, name: nameOf(kind, answerCase) })),
);

function receiversOf(harness: NotifierHarness) {
  const security = localSecurity(harness.hook);
  return ALL.map(({ kind, name }) => {
    const ref = { env: `URL_${name.replaceAll("-", "_").toUpperCase()}` };
    const url = kind === "slack" ? { webhookUrlFrom: ref } : { urlFrom: ref };
    return { name, [kind]: url, security };
  });
}

function environment(harness: NotifierHarness): Record<string, string> {
  return Object.fromEntries(
    ALL.map(({ name }) => [
      `URL_${name.replaceAll("-", "_").toUpperCase()}`,
      `${harness.hook.url}/${name}`,
    ]),
  );
}

/** How each receiver's message stands: ended, or waiting with its last failure. */
async function outcomes(
  harness: NotifierHarness,
): Promise<Map<string, { end: string; reason?: string }>> {
  const results = new Map<string, { end: string; reason?: string }>();
  for (const record of await harness.records()) {
    if (record.type !== "notification" || record.state !== "waiting") continue;
    const reason = record.attempts.at(-1)?.reason;
    if (reason !== undefined) results.set(record.receiver, { end: "waits", reason });
  }
  for (const { type, data } of await harness.events()) {
    if (!("receiver" in data)) continue;
    const { receiver, reason } = data;
    if (type.includes(".sent.")) results.set(receiver, { end: "sent" });
    else results.set(receiver, { end: "dead", reason });
  }
  return results;
}

test("every answer of a receiver has its documented effect, and delays no other receiver", async () => {
  await using harness = await startNotifierHarness();
  const attempts = new Map<string, number>();
  harness.hook.answer(({ path }) => {
    const name = path.slice(1);
    const count = (attempts.get(name) ?? 0) + 1;
    attempts.set(name, count);
    const answerCase = ALL.find((each) => each.name === name)?.answerCase;
    return (count > 1 ? answerCase?.later : undefined) ?? answerCase?.answer ?? { status: 404 };
  });
  await harness.start({ notifier: { receivers: receiversOf(harness) }, env: environment(harness) });
  await harness.publishEvent("failed", "web");
  const good = ALL.filter(({ answerCase }) => answerCase.name === "200").map(({ name }) => name);
  await waitFor(
    async () => {
      const results = await outcomes(harness);
      return good.every((name) => results.get(name)?.end === "sent");
    },
    { timeout: 60_000, message: "the good receivers to get the message" },
  );
  // Fifteen seconds are given to what hangs: the others were not kept by it.
  const before = await outcomes(harness);
  const hanging = ALL.filter(({ answerCase }) => answerCase.answer.instead === "hang").map(
    ({ name }) => name,
  );
  for (const name of hanging) expect(before.get(name)).toBeUndefined();

  await waitFor(async () => (await outcomes(harness)).size === ALL.length, {
    timeout: 60_000,
    message: "an outcome of every receiver",
  });
  const after = await outcomes(harness);
  for (const { kind, answerCase, name } of ALL) {
    const { end, reason } = (kind === "slack" ? answerCase.slack : undefined) ?? answerCase;
    expect({ name, ...after.get(name) }).toEqual({
      name,
      end,
      reason,
    });
  }
  const dead = await harness.deadLetters();
  expect(new Set(dead.map(({ record }) => record.receiver))).toEqual(
    new Set(ALL.filter(({ answerCase }) => answerCase.end === "dead").map(({ name }) => name)),
  );
  // A redirect was not followed, and a pause used no attempt.
  expect(attempts.get("302")).toBeUndefined();
  for (const { data, type } of await harness.events()) {
    if ("attempts" in data && type.includes(".sent.")) expect(data.attempts).toBe(1);
  }
});
