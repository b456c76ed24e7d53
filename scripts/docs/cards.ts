/**
 * Draws docs/pictures from the JSON that the notifier sends: `node scripts/docs/cards.ts`. Needs
 * Chromium (`apt-get install chromium fonts-liberation fonts-noto-color-emoji`); set CHROMIUM where
 * the program has another name.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import { messageOf } from "../../services/notifier/src/message/message.ts";
import type { Message } from "../../services/notifier/src/message/message.ts";
import { renderSlack } from "../../services/notifier/src/receivers/slack-webhook.ts";
import { renderTeams } from "../../services/notifier/src/receivers/teams.ts";

const WIDTH = 720;
const run = promisify(execFile);

async function chromium(dir: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(
    process.env.CHROMIUM ?? "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--hide-scrollbars",
      `--user-data-dir=${join(dir, "profile")}`,
      ...args,
    ],
    { maxBuffer: 64 * 1_048_576 },
  );
  return stdout;
}

/** Takes a screenshot that is exactly as high as the page. */
async function draw(dir: string, html: string, picture: string): Promise<void> {
  const file = join(dir, "page.html");
  await writeFile(file, html);
  const url = `file://${file}`;
  const dom = await chromium(dir, [`--window-size=${WIDTH},1200`, "--dump-dom", url]);
  const [, title = ""] = /<title>([^<]*)<\/title>/.exec(dom) ?? [];
  const height = Number(title);
  if (Number.isNaN(height)) throw new Error(`the page was not drawn: ${title}`);
  await chromium(dir, [`--window-size=${WIDTH},${height}`, `--screenshot=${picture}`, url]);
}

const dir = await mkdtemp(join(tmpdir(), "rollcast-cards-"));
try {
  const { slack, teams } = sampleBodies();
  const pictures = new URL("../../docs/pictures/", import.meta.url).pathname;
  await draw(dir, slackPage(slack), join(pictures, "slack.png"));
  await draw(dir, teamsPage(teams[0] ?? ""), join(pictures, "teams.png"));
} finally {
  await rm(dir, { recursive: true, force: true });
}

type SlackText = { readonly type: string; readonly text: string };
type SlackBlock = {
  readonly type: string;
  readonly text?: SlackText;
  readonly fields?: readonly SlackText[];
};

const STYLE = `
body { margin: 0; padding: 16px; width: 688px; background: #fff; color: #1d1c1d; font: 15px/1.47 "Liberation Sans", sans-serif; }
.slack { display: flex; gap: 10px; margin-bottom: 18px; } .slack:last-child { margin-bottom: 0; }
.slack.reply { margin-left: 46px; }
.face { flex: none; width: 36px; height: 36px; border-radius: 6px; background: #1264a3; color: #fff; font-weight: bold; text-align: center; line-height: 36px; }
.name { font-weight: bold; } .app { background: #e8e8e8; color: #616061; font-size: 10px; padding: 1px 3px; border-radius: 2px; } .time { color: #616061; font-size: 12px; }
.header { font-size: 18px; font-weight: bold; margin: 4px 0 8px; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin-bottom: 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
.section { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { margin: 4px 0 0; padding: 8px; background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px; font: 12px/1.5 "Liberation Mono", monospace; white-space: pre-wrap; }
.teams { border: 1px solid #e1dfdd; border-radius: 4px; padding: 4px; box-shadow: 0 1px 2px rgba(0,0,0,.1); }
`;

function slackText({ type, text }: SlackText): string {
  if (type === "plain_text") {
    return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  }
  // The event's data is already escaped, with entities that HTML has too.
  return text
    .replaceAll(/```([\s\S]*?)```/g, "<pre>$1</pre>")
    .replaceAll(/\n(?=<pre>)/g, "")
    .replaceAll(/^\*([^*\n]+)\*/gm, "<b>$1</b>");
}

function slackBlock({ type, text, fields }: SlackBlock): string {
  if (type === "header" && text !== undefined) {
    return `<div class="header">${slackText(text)}</div>`;
  }
  if (fields !== undefined) {
    return `<div class="fields">${fields.map((field) => `<div>${slackText(field)}</div>`).join("")}</div>`;
  }
  if (text !== undefined) return `<div class="section">${slackText(text)}</div>`;
  throw new Error(`no picture of a block of type ${type}`);
}

/**
 * Slack messages, drawn from their blocks: the first in the channel, the others as replies in its
 * thread.
 */
function slackPage(bodies: readonly string[]): string {
  const shown = bodies.map((body, i) => {
    const { blocks } = JSON.parse(body) as { blocks: readonly SlackBlock[] };
    const head = `<div><span class="name">rollcast</span> <span class="app">APP</span> <span class="time">${i === 0 ? "3:00 AM (edited)" : "3:10 AM"}</span></div>`;
    return `<div class="slack${i === 0 ? "" : " reply"}"><div class="face">R</div><div>${head}${blocks.map(slackBlock).join("")}</div></div>`;
  });
  return page(shown.join(""), "");
}

const HOST = {
  fontFamily: '"Liberation Sans", sans-serif',
  fontTypes: {
    default: { fontFamily: '"Liberation Sans", sans-serif' },
    monospace: { fontFamily: '"Liberation Mono", monospace' },
  },
  containerStyles: {
    default: {
      backgroundColor: "#fff",
      foregroundColors: { attention: { default: "#c4314b", subtle: "#c4314b" } },
    },
  },
  factSet: { title: { weight: "bolder", maxWidth: 120 }, value: { wrap: true }, spacing: 12 },
};

/** A Teams card, drawn by Microsoft's own renderer of Adaptive Cards. */
function teamsPage(body: string): string {
  const { attachments } = JSON.parse(body) as { attachments: readonly { content: object }[] };
  const require = createRequire(import.meta.url);
  const renderer = readFileSync(require.resolve("adaptivecards/dist/adaptivecards.min.js"), "utf8");
  const script = `
    const card = new AdaptiveCards.AdaptiveCard();
    card.hostConfig = new AdaptiveCards.HostConfig(${JSON.stringify(HOST)});
    AdaptiveCards.AdaptiveCard.onProcessMarkdown = (text, result) => { result.outputHtml = text.replaceAll("<", "&lt;"); result.didProcess = true; };
    card.parse(${JSON.stringify(attachments[0]?.content).replaceAll("<", "\\u003c")});
    document.querySelector(".teams").append(card.render());`;
  return page(
    '<div class="teams"></div>',
    `<script>${renderer}</script><script>${script}</script>`,
  );
}

function page(body: string, scripts: string): string {
  const fault = `<script>addEventListener("error", ({ message }) => { document.title = message; });</script>`;
  const measure = `<script>document.title ||= String(Math.ceil(document.body.getBoundingClientRect().height));</script>`;
  return `<!doctype html><meta charset="utf-8"><title></title><style>${STYLE}</style>${fault}<body>${body}${scripts}${measure}</body>`;
}

type SampleEvent = readonly [RolloutOutcome, string, Partial<RolloutData>?];

const TIME = Date.parse("2026-11-23T03:10:04.000Z");
const CAUSE: RolloutData["cause"] = {
  kind: "ConfigMap",
  namespace: "shop",
  name: "web-config",
  changedKeys: { added: ["CACHE_TTL"], changed: ["LOG_LEVEL"], removed: [] },
  changedBy: { manager: "argocd-controller" },
  changedAt: "2026-11-23T03:00:00.000Z",
};

function message(samples: readonly SampleEvent[]): Message {
  const events = samples.map(([outcome, name, more], i) => {
    const parts = { id: `e${i}`, cluster: "prod-eu1", service: "restarter", time: TIME };
    const workload = { kind: "Deployment", namespace: "shop", name, uid: "" };
    return rolloutEvent(parts, outcome, { workload, cause: CAUSE, affected: 12, ...more });
  });
  return messageOf({ id: "n1", events, labels: {}, createdAt: TIME }, "prod-eu1");
}

const FAILED = message([
  [
    "failed",
    "checkout",
    {
      reason: "ProgressDeadlineExceeded",
      message: 'ReplicaSet "checkout-7c9f8d5b6" has timed out progressing.',
      durationMs: 600_000,
    },
  ],
]);
const GROUP = message([
  ["failed", "checkout", { reason: "ProgressDeadlineExceeded", durationMs: 600_000 }],
  ...["web", "search", "cart", "basket", "mail"].map((name, i): SampleEvent => [
    "succeeded",
    name,
    { durationMs: 21_000 + i * 4_000 },
  ]),
  ["started", "stock"],
]);

/** Request bodies as the notifier sends them, by the name of their picture. */
function sampleBodies(): { slack: string[]; teams: string[] } {
  return {
    slack: [renderSlack(GROUP).body, renderSlack(FAILED).body],
    teams: [renderTeams(FAILED).body],
  };
}
