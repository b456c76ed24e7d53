import fc from "fast-check";
import { RolloutEvent, RolloutOutcome, SOURCE_KINDS } from "@rollcast/shared/events";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import { messageOf } from "../src/message/message.ts";
import type { Message } from "../src/message/message.ts";

const TIME = Date.parse("2026-11-23T03:00:00.000Z");

/** Text of at most `max` characters that is special to a chat, to JSON, to a cut, or not at all. */
function nasty(max: number, min = 0): fc.Arbitrary<string> {
  const parts = [
    "<!channel>",
    "<@U1>",
    "&",
    "](http://x)",
    "**",
    "```",
    "😀",
    "\ud83d",
    "\n",
    "<",
    "\u0001",
  ];
  return fc
    .oneof(
      fc.string({ unit: "binary", minLength: min, maxLength: max }),
      fc.string({ unit: fc.constantFrom(...parts), minLength: min, maxLength: Math.min(max, 100) }),
      fc.constantFrom("😀".repeat(max), "&".repeat(max), "a".repeat(max), "\u0001".repeat(max)),
    )
    .map((text) => text.slice(0, max));
}

const keys = fc.array(nasty(1_024), { maxLength: 30 });

const cause = fc.record(
  {
    kind: fc.constantFrom(...SOURCE_KINDS),
    namespace: nasty(253, 1),
    name: nasty(253, 1),
    changedKeys: fc.record({ added: keys, changed: keys, removed: keys }),
    changedBy: fc.record({ manager: nasty(253) }),
    changedAt: fc.constant("2026-11-23T02:59:00.000Z"),
  },
  { requiredKeys: ["kind", "namespace", "name"] },
);

/** Any event that the stream may hold. */
export const anyEvent: fc.Arbitrary<RolloutEvent> = fc
  .record({
    outcome: fc.constantFrom(...RolloutOutcome.options),
    id: nasty(100, 1),
    workload: fc.record({
      kind: fc.oneof(fc.constantFrom("Deployment", "CronJob", "constructor"), nasty(63, 1)),
      namespace: fc.oneof(fc.constant("shop"), nasty(253, 1)),
      name: fc.oneof(fc.constantFrom("web", "api"), nasty(253, 1)),
      uid: fc.constant("u"),
    }),
    data: fc.record(
      {
        rollout: nasty(64),
        queue: nasty(64),
        cause,
        sources: fc.nat(),
        affected: fc.integer({ min: 1, max: 10_000 }),
        reason: nasty(128),
        message: nasty(1_024),
        durationMs: fc.nat(),
        generation: fc.nat(),
        dueAt: fc.constant("2026-11-23T03:10:00.000Z"),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ outcome, id, workload, data }) => {
    const parts = { id, cluster: "prod", service: "restarter", time: TIME };
    return RolloutEvent.parse(rolloutEvent(parts, outcome, { workload, ...data }));
  });

/** Any message that a receiver may get, including one whose title and text come from a template. */
export const anyMessage: fc.Arbitrary<Message> = fc
  .record({
    events: fc.array(anyEvent, { minLength: 1, maxLength: 25 }),
    template: fc.option(fc.record({ title: nasty(500, 1), text: nasty(20_000) })),
  })
  .map(({ events, template }) => {
    const message = messageOf({ id: "n1", labels: {}, events, createdAt: TIME }, "prod");
    return template === null ? message : { ...message, ...template, custom: true };
  });
