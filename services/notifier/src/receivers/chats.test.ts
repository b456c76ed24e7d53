import { expect, test } from "vitest";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutData } from "@rollcast/shared/events";
import { messageOf } from "../message/message.ts";
import type { Message } from "../message/message.ts";
import { withoutMarkup } from "../message/text.ts";
import { plainChatText, renderGoogleChat } from "./google-chat.ts";
import { escapeSlack } from "./slack-content.ts";
import { classifySlackAnswer, renderSlack } from "./slack-webhook.ts";
import { literalCardText, plainCardText, renderTeams } from "./teams.ts";

const TIME = Date.parse("2026-11-23T03:00:00.000Z");

function message(all: readonly { name: string; data?: Partial<RolloutData> }[]): Message {
  const events = all.map(({ name, data }, i) => {
    const parts = { id: `e${i}`, cluster: "prod", service: "restarter", time: TIME };
    const workload = { kind: "Deployment", namespace: "shop", name, uid: "u" };
    return rolloutEvent(parts, "failed", { workload, ...data });
  });
  return messageOf({ id: "n1", labels: {}, events, createdAt: TIME }, "prod");
}

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
          { type: "mrkdwn", text: "*Cluster*\nprod", verbatim: true },
          { type: "mrkdwn", text: "*Workload*\nDeployment shop/web", verbatim: true },
          { type: "mrkdwn", text: "*Outcome*\nfailed", verbatim: true },
          { type: "mrkdwn", text: "*Reason*\nProgressDeadlineExceeded", verbatim: true },
          { type: "mrkdwn", text: "*Duration*\n1m", verbatim: true },
        ],
      },
      {
        type: "section",
        text: {
          type: "mrkdwn",
          text: "*Next*\n```kubectl -n shop rollout status deployment/web\nrollcast explain deployment/web -n shop```",
          verbatim: true,
        },
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
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
  expect(classifySlackAnswer({ status, body, retryAfter: undefined }, TIME).kind).toBe(kind);
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
              wrap: true,
              size: "Medium",
              weight: "Bolder",
              color: "attention",
            },
            {
              type: "FactSet",
              facts: [
                { title: "Cluster", value: "prod" },
                { title: "Workload", value: "Deployment shop/web" },
                { title: "Outcome", value: "failed" },
              ],
            },
            { type: "TextBlock", text: "Next", wrap: true, weight: "Bolder" },
            {
              type: "TextBlock",
              text: "kubectl -n shop rollout status deployment/web",
              wrap: true,
              fontType: "Monospace",
              size: "Small",
            },
            {
              type: "TextBlock",
              text: "rollcast explain deployment/web -n shop",
              wrap: true,
              fontType: "Monospace",
              size: "Small",
            },
          ],
        },
      },
    ],
  });
});

test("Teams: facts that are left out are counted", () => {
  const long = "\u0001".repeat(4_000);
  const facts = Array.from({ length: 4 }, (_, i) => ({ name: `f${i}`, value: long }));
  const { body } = renderTeams({ ...message([{ name: "web" }]), facts });
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(24_000);
  expect(body).toContain("+4 more");
});

test.each([
  { text: "<!channel>", shown: "&lt;!channel&gt;" },
  { text: "<!here|all>", shown: "&lt;!here|all&gt;" },
  { text: "<@U1>", shown: "&lt;@U1&gt;" },
  { text: "<https://x|click>", shown: "&lt;https://x|click&gt;" },
  { text: "a&amp;b", shown: "a&amp;amp;b" },
  { text: "😀\ud83d", shown: "😀\ufffd" },
])("Slack shows $text literally", ({ text, shown }) => {
  expect(escapeSlack(text, 100)).toBe(shown);
});

test.each([
  { text: "[click](https://x)", shown: "[click]\u200B(https://x)" },
  { text: "![i](x)", shown: "![i]\u200B(x)" },
  { text: "[a]: https://x", shown: "[a]\u200B: https://x" },
  { text: "a\ud83d", shown: "a\ufffd" },
])("a Teams card makes no link of $text", ({ text, shown }) => {
  expect(plainCardText(text)).toBe(shown);
});

test.each([
  { text: "__init__.py", shown: "\\_\\_init\\_\\_.py" },
  { text: "a\\b `c` ~d~ *e*", shown: "a\\\\b \\`c\\` \\~d\\~ \\*e\\*" },
  { text: "- a\n+ b\n# c\n1. d\n2) e", shown: "\\- a\n\\+ b\n\\# c\n1\\. d\n2\\) e" },
  { text: "+a, -b 1.2", shown: "+a, -b 1.2" },
  { text: "&lt;b&#62; a&b; &", shown: "\\&lt;b\\&#62; a\\&b; &" },
  { text: "## x", shown: "\\## x" },
  { text: "---", shown: "\\---" },
  { text: "## a\n ###\n####### b\n#5", shown: "\\## a\n \\###\n####### b\n#5" },
  { text: "a\n---\nb\n===\n- - -\n-", shown: "a\n\\---\nb\n\\===\n\\- - -\n\\-" },
  { text: "a | b\n|---|:-:|\n:-|-", shown: "a | b\n\\|---|:-:|\n\\:-|-" },
  { text: "--dry-run=server -- a\n| a |\n:", shown: "--dry-run=server -- a\n| a |\n:" },
  { text: ">a\r >> b > c\r\n1.", shown: "\\>a\r \\>> b > c\r\n1\\." },
  { text: "    a\n\n  \tb\n   c", shown: "\u200B    a\n\n\u200B  \tb\n   c" },
  {
    text: "{{DATE(2017-02-14T06:00:00Z, SHORT)}}",
    shown: "{\u200B{DATE(2017-02-14T06:00:00Z, SHORT)}}",
  },
  { text: "{{TIME(2017-02-14T06:00:00Z)}}", shown: "{\u200B{TIME(2017-02-14T06:00:00Z)}}" },
  { text: "<https://x> <b> a<2 <-", shown: "\\<https://x> \\<b> a<2 <-" },
  { text: "{{ .Values.DATE }} {{time(1)}}", shown: "{{ .Values.DATE }} {{time(1)}}" },
])("a Teams card shows $text literally", ({ text, shown }) => {
  expect(literalCardText(text)).toBe(shown);
});

test.each([
  { text: "_raw_", shown: "\u200B_raw_" },
  { text: "a *b* ~c~ `d`", shown: "a \u200B*b* \u200B~c~ \u200B`d`" },
  { text: "DB_POOL_SIZE 2 * 3", shown: "DB_POOL_SIZE 2 * 3" },
  { text: ":fire: at 12:30:45 :+1:", shown: ":\u200Bfire: at 12:30:45 :\u200B+1:" },
  { text: "app:latest, registry:5000/app:1", shown: "app:latest, registry:5000/app:1" },
  { text: "> a\n>b > c", shown: "\u200B> a\n\u200B>b > c" },
  { text: "> quoted", shown: "\u200B> quoted" },
  { text: "* a\n  - b -c", shown: "\u200B* a\n  \u200B- b -c" },
])("no mark of Slack or Google Chat begins in $text", ({ text, shown }) => {
  expect(withoutMarkup(text)).toBe(shown);
});

test.each([
  { text: "<users/all>", shown: "<\u200Busers/all>" },
  { text: "<https://x|click>", shown: "<\u200Bhttps://x|click>" },
])("Google Chat mentions nobody for $text", ({ text, shown }) => {
  expect(plainChatText(text)).toBe(shown);
});

test("a title of Google Chat has no marks but the bold that it is shown in", () => {
  const { body } = renderGoogleChat({ ...message([{ name: "web" }]), title: "the ~old~ *one*" });
  expect(body).toContain("*the \u200B~old~ \u200B*one**");
});

test("a template's text replaces the facts, escaped, and keeps the commands", () => {
  const made = {
    ...message([{ name: "web" }]),
    title: "T",
    text: "<!channel> one\ntwo",
    custom: true,
  };
  const slack = JSON.stringify(JSON.parse(renderSlack(made).body));
  expect(slack).toContain("&lt;!channel&gt; one\\ntwo");
  const teams = renderTeams(made).body;
  expect(teams).toContain("<!channel> one\\n\\ntwo");
  const chat = renderGoogleChat(made).body;
  expect(chat).toContain("<\u200B!channel> one\\ntwo");
  for (const body of [slack, teams, chat]) {
    expect(body).toContain("kubectl -n shop rollout status deployment/web");
    expect(body).not.toContain("Cluster");
  }
});

test.each([0, 1, 2, 3])(
  "Google Chat: %d characters before it, no < is left bare at the end",
  (n) => {
    const made = {
      ...message([{ name: "web" }]),
      custom: true,
      text: "x".repeat(n) + "<".repeat(3_000),
    };
    const { text } = JSON.parse(renderGoogleChat(made).body) as { text: string };
    expect(text).toContain("…");
    expect(text).not.toMatch(/<(?!\u200B)/);
  },
);
