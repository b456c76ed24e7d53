import { rolloutEvent } from "@rollcast/shared/event-builders";
import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { messageOf } from "../message/message.ts";
import { renderGoogleChat } from "./google-chat.ts";
import type { Rendered } from "./http-receiver.ts";
import { renderSlack } from "./slack-webhook.ts";
import { renderTeams } from "./teams.ts";

const KEYS = ["__init__.py", "_raw_", "DB_POOL_SIZE"];
const REFUSAL = "> images *must not* be ~latest~ but &lt;digest&gt;, :lock: them";

const MESSAGE = messageOf(
  {
    id: "n1",
    labels: {},
    createdAt: 0,
    events: [
      rolloutEvent({ id: "e1", cluster: "prod", service: "restarter", time: 0 }, "failed", {
        workload: { kind: "Deployment", namespace: "shop", name: "web", uid: "u" },
        cause: {
          kind: "ConfigMap",
          namespace: "shop",
          name: "cfg",
          changedKeys: { added: [], changed: KEYS, removed: [] },
        },
        reason: "Invalid",
        message: REFUSAL,
      }),
    ],
  },
  "prod",
);

/**
 * Pairs of marks around text, as CommonMark and its relatives read them: not within a word, and a
 * character without width counts as one of a word.
 */
const PAIRS = {
  strong: /(?<![\p{L}\p{N}\u200B])__(?=\S)(.+?)(?<=\S)__(?![\p{L}\p{N}])/gu,
  emphasis: /(?<![\p{L}\p{N}\u200B_])_(?=[^\s_])(.+?)(?<=[^\s_])_(?![\p{L}\p{N}_])/gu,
  star: /(?<![\p{L}\p{N}\u200B])\*(?=\S)(.+?)(?<=\S)\*(?![\p{L}\p{N}])/gu,
  strike: /(?<![\p{L}\p{N}\u200B])~(?=\S)(.+?)(?<=\S)~(?![\p{L}\p{N}])/gu,
};

function withoutMarks(text: string, pairs: readonly RegExp[]): string {
  return pairs.reduce((left, pair) => left.replaceAll(pair, "$1"), text);
}

type Element = { readonly type?: string; readonly [key: string]: unknown };

/** Every text of a message that is read as markup, and those that are not as they are. */
function texts(node: unknown, show: (text: string) => string): string[] {
  if (typeof node === "string") return [show(node)];
  if (Array.isArray(node)) return node.flatMap((part) => texts(part, show));
  if (typeof node !== "object" || node === null) return [];
  const { type, ...rest } = node as Element;
  return texts(Object.values(rest), type === "plain_text" ? (text) => text : show);
}

/** Which of the texts that the event brings are shown as they are. */
function shown(rendered: Rendered, show: (text: string) => string) {
  const all = texts(JSON.parse(rendered.body), show).join("\n").replaceAll("\u200B", "");
  return { literally: [...KEYS, REFUSAL].filter((text) => all.includes(text)) };
}

const ENTITIES: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

function withoutEntities(text: string): string {
  return text.replaceAll(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity] ?? entity);
}

/** Adaptive Cards read Markdown, in which a backslash takes the meaning from a mark. */
function inTeams(text: string): string {
  const parts = text.split(/(\\[_*~`&])/);
  const escaped = parts.map((part, i) => (i % 2 === 1 ? `\u200B${part.slice(1)}\u200B` : part));
  const marked = withoutMarks(escaped.join(""), [PAIRS.strong, PAIRS.emphasis, PAIRS.star]);
  return withoutEntities(marked);
}

/** Emoji have names between colons, and a line that begins with `>` is a quotation. */
function inGoogleChat(text: string): string {
  const marked = withoutMarks(text, [PAIRS.emphasis, PAIRS.star, PAIRS.strike]);
  return marked.replaceAll(/:[\w+-]+:/g, "(emoji)").replaceAll(/^>/gm, "");
}

function inSlack(text: string): string {
  return inGoogleChat(withoutEntities(text));
}

/** People look for the keys' names as they wrote them, and for a policy's own words. */
const EVERYTHING = [...KEYS, REFUSAL];

outcomeTest(
  "Teams shows names and sentences with marks of Markdown as they are (case 17, Teams)",
  {
    right: { literally: EVERYTHING },
  },
  async (begin) => {
    begin();
    return shown(renderTeams(MESSAGE), inTeams);
  },
);

outcomeTest(
  "Slack shows names and sentences with marks of its markup as they are (case 17, Slack)",
  {
    right: { literally: EVERYTHING },
  },
  async (begin) => {
    begin();
    return shown(renderSlack(MESSAGE), inSlack);
  },
);

outcomeTest(
  "Google Chat shows names and sentences with marks of its markup as they are (case 17, Google Chat)",
  {
    right: { literally: EVERYTHING },
  },
  async (begin) => {
    begin();
    return shown(renderGoogleChat(MESSAGE), inGoogleChat);
  },
);
