import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

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
export function slackPage(bodies: readonly string[]): string {
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
export function teamsPage(body: string): string {
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
