import fc from "fast-check";
import { expect, test } from "vitest";
import { rolloutEvent } from "@rollcast/shared/events";
import type { RolloutData } from "@rollcast/shared/events";
import { messageOf } from "../message.ts";
import type { Message } from "../message.ts";
import { renderGoogleChat } from "./google-chat.ts";
import { escapeSlack, judgeSlack, renderSlack } from "./slack.ts";
import { renderTeams } from "./teams.ts";

const TIME = Date.parse("2026-11-23T03:00:00.000Z");

function message(all: readonly { name: string; data?: Partial<RolloutData> }[]): Message {
  const events = all.map(({ name, data }, i) => {
    const parts = { id: `e${i}`, cluster: "prod", service: "restarter", time: TIME };
    const workload = { kind: "Deployment", namespace: "shop", name, uid: "u" };
    return rolloutEvent(parts, "failed", { workload, ...data });
  });
  return messageOf(
    {
      v: 1,
      type: "notification",
      id: "n1",
      group: "g1",
      receiver: "chat",
      labels: {},
      events,
      createdAt: TIME,
      dueAt: TIME,
      tries: [],
      state: "waiting",
    },
    "prod",
  );
}

type Slack = {
  text: string;
  blocks: { type: string; text?: { text: string }; fields?: { text: string }[] }[];
};
type Teams = {
  attachments: { content: { version: string; body: { type: string; text?: string }[] } }[];
};

const nasty = fc.oneof(
  fc.string({ unit: "binary", maxLength: 3_000 }),
  fc.string({ unit: fc.constantFrom("<!channel>", "<@U1>", "&", "](x", "😀", "\ud83d", "\n") }),
  fc.constantFrom("😀".repeat(5_000), "&".repeat(5_000), "a".repeat(20_000)),
);
const anyMessage = fc
  .array(fc.record({ name: nasty, data: fc.record({ reason: nasty, message: nasty }) }), {
    minLength: 1,
    maxLength: 40,
  })
  .map(message);

test("Slack: a failed rollout in Block Kit", () => {
  const { body, contentType } = renderSlack(
    message([{ name: "web", data: { reason: "ProgressDeadlineExceeded", durationMs: 60_000 } }]),
  );
  expect(contentType).toBe("application/json; charset=utf-8");
  expect(JSON.parse(body)).toEqual({
    text: "🔴 Rollout failed: Deployment shop/web (prod)",
    blocks: [
      {
        type: "header",
        text: {
          type: "plain_text",
          text: "🔴 Rollout failed: Deployment shop/web (prod)",
          emoji: false,
        },
      },
      {
        type: "section",
        fields: [
          { type: "mrkdwn", text: "*Cluster*\nprod" },
          { type: "mrkdwn", text: "*Workload*\nDeployment shop/web" },
          { type: "mrkdwn", text: "*Outcome*\nfailed" },
          { type: "mrkdwn", text: "*Reason*\nProgressDeadlineExceeded" },
          { type: "mrkdwn", text: "*Duration*\n1m" },
        ],
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
});

test("Slack: no event calls a channel or breaks a limit", () => {
  fc.assert(
    fc.property(anyMessage, (one) => {
      const { body } = renderSlack(one);
      const { text, blocks } = JSON.parse(body) as Slack;
      const fields = blocks.flatMap((block) => block.fields ?? []);
      const [header] = blocks;
      expect(blocks.length).toBeLessThanOrEqual(50);
      expect(header?.text?.text.length).toBeLessThanOrEqual(150);
      expect(text.length).toBeLessThanOrEqual(3_000);
      expect(fields.length).toBeLessThanOrEqual(10);
      for (const shown of [text, ...fields.map((field) => field.text)]) {
        expect(shown).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
        expect(shown.length).toBeLessThanOrEqual(3_000);
        expect(shown.isWellFormed()).toBe(true);
      }
      for (const field of fields) expect(field.text.length).toBeLessThanOrEqual(2_000);
      expect(header?.text?.text.isWellFormed()).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("an entity is never cut", () => {
  expect(escapeSlack("a&&", 8)).toBe("a&amp;…");
  expect(escapeSlack("a&&", 11)).toBe("a&amp;&amp;");
});

test.each([
  { status: 200, body: "ok", kind: "sent" },
  { status: 200, body: "<html>a proxy</html>", kind: "failed" },
  { status: 404, body: "channel_not_found", kind: "refused" },
  { status: 403, body: "invalid_token", kind: "refused" },
])("Slack: $status $body is $kind", ({ status, body, kind }) => {
  expect(judgeSlack({ status, body, retryAfter: undefined }, TIME).kind).toBe(kind);
});

test("Teams: a failed rollout as an Adaptive Card 1.4", () => {
  const { body, contentType } = renderTeams(message([{ name: "web" }]));
  expect(contentType).toBe("application/json; charset=utf-8");
  expect(JSON.parse(body)).toEqual({
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        contentUrl: null,
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          msteams: { width: "Full" },
          body: [
            {
              type: "TextBlock",
              text: "Rollout failed: Deployment shop/web (prod)",
              size: "Medium",
              weight: "Bolder",
              color: "attention",
              wrap: true,
            },
            {
              type: "FactSet",
              facts: [
                { title: "Cluster", value: "prod" },
                { title: "Workload", value: "Deployment shop/web" },
                { title: "Outcome", value: "failed" },
              ],
            },
          ],
        },
      },
    ],
  });
});

test("Teams: no event makes a card that is too large or links elsewhere", () => {
  fc.assert(
    fc.property(anyMessage, (one) => {
      const { body } = renderTeams(one);
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(24_000);
      expect(body.isWellFormed()).toBe(true);
      const [attachment] = (JSON.parse(body) as Teams).attachments;
      expect(attachment?.content.version).toBe("1.4");
      expect(attachment?.content.body[0]?.text).toBeTruthy();
      expect(body).not.toContain("](");
    }),
    { numRuns: 50 },
  );
});

test("Teams: what is left out is counted", () => {
  const long = "\u0001".repeat(4_000);
  const facts = Array.from({ length: 4 }, (_, i) => ({ name: `f${i}`, value: long }));
  const { body } = renderTeams({ ...message([{ name: "web" }]), facts });
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(24_000);
  expect(body).toContain("+4 more");
});

test("Google Chat: no event calls a user, hides a link or breaks the limit", () => {
  fc.assert(
    fc.property(anyMessage, (one) => {
      const { text } = JSON.parse(renderGoogleChat(one).body) as { text: string };
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4_096);
      expect(text).not.toMatch(/<(?!\u200B)/);
      expect(text.isWellFormed()).toBe(true);
      expect(text.startsWith("*")).toBe(true);
    }),
    { numRuns: 50 },
  );
});
