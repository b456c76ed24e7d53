import type { Fact, Message, Severity } from "../message/message.ts";
import { cut, jsonSize, utf8Size } from "../message/text.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { Rendered } from "./http-receiver.ts";

/** Teams refuses messages over 28 kB; how much it adds on the way is not documented. */
const BUDGET = 24_000;
const TITLE_LIMIT = 500;
const FACT_LIMIT = 4_000;
/** Maximum size of a template's text as JSON, in bytes. */
const TEXT_LIMIT = 12_000;
const COLOR: Readonly<Record<Severity, string>> = {
  info: "good",
  warning: "warning",
  error: "attention",
};

/**
 * `text` without links of its own, be they defined where they are or elsewhere (`[text]: https:…`):
 * Adaptive Cards render Markdown. https://adaptivecards.io/explorer/TextBlock.html
 */
export function plainCardText(text: string): string {
  return text.toWellFormed().replaceAll(/\](?=[(:])/g, "]\u200B");
}

/** A mark of Markdown anywhere, what is read as a character (`&lt;`), and the begin of a tag. */
const MARKS = /[\\`*_~]|&(?=#?\w+;)|<(?=[a-z])/gi;
/** What begins a heading, a quotation or an item of a list, where a line begins. */
const LINE_MARKS = /^([ \t]*)(#(?=#{0,5}(?:\s|$))|>|[-+](?=\s|$))/gm;
const NUMBERS = /^([ \t]*\d+)([.)])(?=\s|$)/gm;
/** A rule, a line that makes a heading of the one above, or a table of it. */
const RULES = /^([ \t]*)(?=[-=|:])(?=.*[-=])([-=|: \t]+)$/gm;
/** What makes a line one of code. */
const INDENTATION = /^(?= {4}| {0,3}\t)/gm;
/**
 * A card writes such a time as its reader's clock has it, before it reads the marks.
 * https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
 */
const TIMES = /\{(?=\{(?:DATE|TIME)\()/g;

/**
 * `text` as a card shows it literally: a backslash takes the meaning from a mark, a character
 * without width from what no backslash can. Teams reads more of Markdown than Adaptive Cards
 * promise, and more in some of its clients than in others.
 * https://spec.commonmark.org/0.31.2/#backslash-escapes
 */
export function literalCardText(text: string): string {
  return plainCardText(text)
    .replaceAll(MARKS, "\\$&")
    .replaceAll(LINE_MARKS, "$1\\$2")
    .replaceAll(NUMBERS, "$1\\$2")
    .replaceAll(RULES, "$1\\$2")
    .replaceAll(INDENTATION, "\u200B")
    .replaceAll(TIMES, "{\u200B");
}

/** A card ignores a single line break. */
function paragraphs(text: string): string {
  return text.replaceAll(/\n+/g, "\n\n");
}

function block(text: string, more: object = {}): object {
  return { type: "TextBlock", text, wrap: true, ...more };
}

/** The elements of a card, from top to bottom. */
function elements(message: Message, facts: readonly Fact[], more: number): object[] {
  const shown = facts.map(({ name, value }) => ({
    title: literalCardText(name),
    value: literalCardText(cut(value, FACT_LIMIT, utf8Size)),
  }));
  const title = cut(message.title, TITLE_LIMIT, utf8Size);
  const commands = message.next.map((text) =>
    block(literalCardText(text), { fontType: "Monospace", size: "Small" }),
  );
  return [
    block(literalCardText(title), {
      size: "Medium",
      weight: "Bolder",
      color: COLOR[message.severity],
    }),
    // A template may have marks of its own.
    ...(message.custom
      ? [block(plainCardText(cut(paragraphs(message.text), TEXT_LIMIT, jsonSize)))]
      : []),
    ...(shown.length > 0 ? [{ type: "FactSet", facts: shown }] : []),
    ...(more > 0 ? [block(`+${more} more`, { isSubtle: true })] : []),
    ...(commands.length > 0 ? [block("Next", { weight: "Bolder" }), ...commands] : []),
  ];
}

function card(message: Message, facts: readonly Fact[], more: number): string {
  const body = elements(message, facts, more);
  return JSON.stringify({
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
          body,
        },
      },
    ],
  });
}

/**
 * Renders a message for a Workflows webhook of Teams: an Adaptive Card 1.4 of at most 24 000 bytes.
 * Facts that do not fit are left out from the end and counted.
 */
export function renderTeams(message: Message): Rendered {
  const facts = message.custom ? [] : message.facts;
  for (let shown = facts.length; shown > 0; shown--) {
    const body = card(message, facts.slice(0, shown), facts.length - shown);
    if (Buffer.byteLength(body) <= BUDGET) return { contentType: JSON_TYPE, body };
  }
  return { contentType: JSON_TYPE, body: card(message, [], facts.length) };
}
