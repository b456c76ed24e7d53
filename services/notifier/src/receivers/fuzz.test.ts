import { createRequire } from "node:module";
import type * as AdaptiveCards from "adaptivecards";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { RolloutEvent } from "@rollcast/shared/events";
import { anyEvent, anyMessage } from "../../test/any-message.ts";
import { ALERT_OUTCOMES, alertsOf, foldAlert } from "../alert/alert.ts";
import { MessageLogRecord } from "../model/message-log-record.ts";
import { eventsOf, withPost } from "../message-log/message-log.ts";
import { outcomeOf, messageOf } from "../message/message.ts";
import { alertText } from "./alertmanager.ts";
import { renderGoogleChat } from "./google-chat.ts";
import { slackContent } from "./slack-content.ts";
import { renderSlack } from "./slack-webhook.ts";
import { renderTeams } from "./teams.ts";
import { webhookBody } from "./http-receiver.ts";

/**
 * Microsoft's renderer, whose parser names every property that a card may not have. Its module for
 * Node is not one, so the browsers' is taken.
 */
const cards = createRequire(import.meta.url)(
  "adaptivecards/dist/adaptivecards.js",
) as typeof AdaptiveCards;

const RUNS = { numRuns: 40 };

const wellFormed = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => text.isWellFormed(), "half a character");
/** Escaped, so that nothing of an event is a mention, a link or half an entity. */
const mrkdwn = (max: number) =>
  z.strictObject({
    type: z.literal("mrkdwn"),
    text: wellFormed(max).refine((text) => !/[<>]|&(?!amp;|lt;|gt;)/.test(text), "not escaped"),
    verbatim: z.literal(true),
  });
// Limits: https://docs.slack.dev/reference/block-kit/blocks
const SlackHeader = z.strictObject({
  type: z.literal("header"),
  text: z.strictObject({
    type: z.literal("plain_text"),
    text: wellFormed(150),
    emoji: z.literal(false),
  }),
});
const SlackSection = z
  .strictObject({
    type: z.literal("section"),
    text: mrkdwn(3_000).optional(),
    fields: z.array(mrkdwn(2_000)).min(1).max(10).optional(),
  })
  .refine(({ text, fields }) => (text === undefined) !== (fields === undefined));
const SlackContent = z.strictObject({
  text: mrkdwn(3_000).shape.text,
  blocks: z
    .array(z.union([SlackHeader, SlackSection]))
    .min(1)
    .max(50),
});

test("Slack: no message exceeds a limit of Block Kit or mentions anybody", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const {
        unfurl_links: links,
        unfurl_media: media,
        ...content
      } = JSON.parse(renderSlack(message).body) as Record<string, unknown>;
      expect([links, media]).toEqual([false, false]);
      expect(SlackContent.safeParse(content).error?.issues).toBeUndefined();
    }),
    RUNS,
  );
});

test("Slack bot: no edit from the message log exceeds a limit either", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const empty: MessageLogRecord = { v: 1, type: "message-log", receiver: "slack", posts: [] };
      const { events } = message;
      const posted = { channel: "C0123ABCD", ts: "1.1", events, now: 0 };
      const log = MessageLogRecord.parse(
        JSON.parse(JSON.stringify(withPost(empty, message, posted))),
      );
      for (const post of log.posts) {
        const edited = { ...message, events: eventsOf(post, "prod") };
        const content = JSON.parse(
          JSON.stringify(slackContent(messageOf(edited, "prod"))),
        ) as object;
        expect(SlackContent.safeParse(content).error?.issues).toBeUndefined();
      }
    }),
    RUNS,
  );
});

const TeamsBody = z.strictObject({
  type: z.literal("message"),
  attachments: z
    .array(
      z.strictObject({
        contentType: z.literal("application/vnd.microsoft.card.adaptive"),
        contentUrl: z.null(),
        content: z.record(z.string(), z.unknown()),
      }),
    )
    .length(1),
});

test("Teams: every message is a card that Microsoft's parser accepts, within its size, and has no links", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const { body } = renderTeams(message);
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(24_000);
      expect(body.isWellFormed()).toBe(true);
      expect(body).not.toContain("](");
      const [attachment] = TeamsBody.parse(JSON.parse(body)).attachments;
      const context = new cards.SerializationContext(cards.Versions.v1_4);
      const card = new cards.AdaptiveCard();
      card.parse(attachment?.content, context);
      expect(context.eventCount).toBe(0);
      expect(card.getItemCount()).toBeGreaterThan(0);
    }),
    RUNS,
  );
});

test("Google Chat: no message is too long, mentions a user or hides a link", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const { text, ...rest } = JSON.parse(renderGoogleChat(message).body) as { text: string };
      expect(rest).toEqual({});
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4_096);
      expect(text).not.toMatch(/<(?!\u200B)/);
      expect(text.isWellFormed()).toBe(true);
      expect(text.length).toBeGreaterThan(2);
    }),
    RUNS,
  );
});

const StandardBody = z.strictObject({
  type: z.templateLiteral(["rollout.", z.string()]),
  timestamp: z.iso.datetime(),
  data: z.object({
    id: z.string(),
    severity: z.enum(["info", "warning", "error"]),
    title: z.string().min(1),
    text: z.string(),
    facts: z.array(z.strictObject({ name: z.string(), value: z.string() })),
    next: z.array(z.string()),
    group: z.object({ count: z.number().int().min(1) }),
    events: z.array(RolloutEvent),
  }),
});

test("webhook: every body is a valid envelope with the unchanged events", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const standard = webhookBody(message, "standard").body;
      expect(standard.isWellFormed()).toBe(true);
      expect(StandardBody.parse(JSON.parse(standard)).data.events).toEqual(message.events);
      const batch = JSON.parse(webhookBody(message, "cloudevents").body) as unknown;
      expect(z.array(RolloutEvent).parse(batch)).toEqual(message.events);
    }),
    RUNS,
  );
});

/**
 * `postableAlert` of Alertmanager's OpenAPI, and what its code checks besides: no empty label, no
 * end before the start.
 */
const PostableAlert = z
  .strictObject({
    labels: z.record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/), z.string().min(1)),
    annotations: z.record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/), z.string()),
    startsAt: z.iso.datetime(),
    endsAt: z.iso.datetime(),
    generatorURL: z.url().optional(),
  })
  .refine(({ startsAt, endsAt }) => Date.parse(endsAt) >= Date.parse(startsAt));

test("Alertmanager: no event makes an alert that it refuses", () => {
  const settings = {
    cluster: "prod",
    labels: {},
    generatorUrl: "https://rollcast.example.com/",
    resolveAfterMs: 86_400_000,
  };
  const alerting = anyEvent.filter((event) => ALERT_OUTCOMES.has(outcomeOf(event)));
  fc.assert(
    fc.property(alerting, (event) => {
      const alertMessage = messageOf({ id: "", events: [event], labels: {}, createdAt: 0 }, "prod");
      const text = alertText(alertMessage);
      expect(text.summary.length).toBeLessThanOrEqual(300);
      expect(text.description.length).toBeLessThanOrEqual(2_000);
      const now = Date.parse(event.time);
      const record = foldAlert(undefined, event, { receiver: "am", text, now });
      const alerts = JSON.parse(JSON.stringify(alertsOf(record, settings, now))) as unknown;
      expect(z.array(PostableAlert).safeParse(alerts).error?.issues).toBeUndefined();
    }),
    RUNS,
  );
});
