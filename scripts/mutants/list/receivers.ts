import type { Mutant } from "./mutant.ts";

const CHATS = "services/notifier/src/receivers/chats.test.ts";
const MARKUP = "services/notifier/src/receivers/markup.test.ts";

/** What a receiver is told is what happened, as it was written. */
export const RECEIVER_MUTANTS: readonly Mutant[] = [
  {
    name: "untrusted-certificate-is-an-outage",
    undoes: "A certificate that nobody trusts is told at once.",
    file: "services/notifier/src/http/classify-answer.ts",
    find: `  if ("code" in err && NOT_TRUSTED.has(String(err.code))) {`,
    becomes: `  if ("code" in err && NOT_TRUSTED.has("")) {`,
    killedBy: {
      file: "services/notifier/test/private-ca.test.ts",
      title:
        "a receiver whose certificate nobody trusts is told by a reason of its own, and not retried for a day (case 21)",
    },
  },
  {
    name: "ca-ends-at-the-proxy",
    undoes: "A receiver behind a proxy is trusted by its caFrom, too.",
    file: "services/notifier/src/http/guarded-fetch.ts",
    find: `    requestTls: ca,\n`,
    becomes: `    requestTls: {},\n`,
    killedBy: {
      file: "services/notifier/test/private-ca.test.ts",
      title: "a receiver is trusted by the CA that caFrom names, through a tunnel of a proxy",
    },
  },
  {
    name: "card-reads-markdown",
    undoes: "Teams shows names with marks of Markdown as they are.",
    file: "services/notifier/src/receivers/teams.ts",
    find: `.replaceAll(MARKS, "\\\\$&")`,
    becomes: ``,
    killedBy: {
      file: MARKUP,
      title: "Teams shows names and sentences with marks of Markdown as they are (case 17, Teams)",
    },
  },
  {
    name: "slack-reads-marks",
    undoes: "Slack shows names with marks of its markup as they are.",
    file: "services/notifier/src/receivers/slack-content.ts",
    find: `escapeSlack(withoutMarkup(value), FIELD_LIMIT`,
    becomes: `escapeSlack(value, FIELD_LIMIT`,
    killedBy: {
      file: MARKUP,
      title:
        "Slack shows names and sentences with marks of its markup as they are (case 17, Slack)",
    },
  },
  {
    name: "card-reads-entities",
    undoes: "Teams shows what looks like an entity as it is.",
    file: "services/notifier/src/receivers/teams.ts",
    find: `|&(?=#?\\w+;)`,
    becomes: ``,
    killedBy: {
      file: MARKUP,
      title: "Teams shows names and sentences with marks of Markdown as they are (case 17, Teams)",
    },
  },
  {
    name: "card-has-headings",
    undoes: "Teams makes no heading of a line.",
    file: "services/notifier/src/receivers/teams.ts",
    find: `#(?=#{0,5}(?:\\s|$))`,
    becomes: `#(?=\\s|$)`,
    killedBy: { file: CHATS, title: "a Teams card shows ## x literally" },
  },
  {
    name: "card-has-rules",
    undoes: "Teams makes no rule and no heading of a line of hyphens.",
    file: "services/notifier/src/receivers/teams.ts",
    find: `    .replaceAll(RULES, "$1\\\\$2")\n`,
    becomes: ``,
    killedBy: {
      file: CHATS,
      title: "a Teams card shows --- literally",
    },
  },
  {
    name: "card-computes-times",
    undoes: "Teams shows what calls for a time as it is.",
    file: "services/notifier/src/receivers/teams.ts",
    find: `\n    .replaceAll(TIMES, "{\\u200B")`,
    becomes: ``,
    killedBy: {
      file: CHATS,
      title: "a Teams card shows {{TIME(2017-02-14T06:00:00Z)}} literally",
    },
  },
  {
    name: "card-defines-links",
    undoes: "Teams makes no link of what is defined elsewhere in the text.",
    file: "services/notifier/src/receivers/teams.ts",
    find: `/\\](?=[(:])/g`,
    becomes: `/\\](?=[(])/g`,
    killedBy: { file: CHATS, title: "a Teams card makes no link of [a]: https://x" },
  },
  {
    name: "chat-makes-emoji",
    undoes: "A name between colons is no emoji in Slack and Google Chat.",
    file: "services/notifier/src/message/text.ts",
    find: `.replaceAll(EMOJI, ":\\u200B")`,
    becomes: ``,
    killedBy: {
      file: MARKUP,
      title:
        "Slack shows names and sentences with marks of its markup as they are (case 17, Slack)",
    },
  },
  {
    name: "chat-makes-quotations",
    undoes: "A line that begins with > is no quotation in Slack and Google Chat.",
    file: "services/notifier/src/message/text.ts",
    find: `.replaceAll(LINE_MARKS, "$1\\u200B$2")`,
    becomes: ``,
    killedBy: {
      file: CHATS,
      title: "no mark of Slack or Google Chat begins in > quoted",
    },
  },
  {
    name: "google-chat-reads-marks",
    undoes: "Google Chat shows names with marks of its markup as they are.",
    file: "services/notifier/src/receivers/google-chat.ts",
    find: `plainChatText(withoutMarkup(text))`,
    becomes: `plainChatText(text)`,
    killedBy: {
      file: MARKUP,
      title:
        "Google Chat shows names and sentences with marks of its markup as they are (case 17, Google Chat)",
    },
  },
  {
    name: "refusing-receiver-is-healthy",
    undoes: `A receiver that refuses every message is named.`,
    file: "services/notifier/src/http/circuit.ts",
    find: `return refusal !== undefined && OF_ALL.has(refusal) ? refusal : undefined;`,
    becomes: `return undefined;`,
    killedBy: {
      file: "services/notifier/src/http/circuit.test.ts",
      title: `after a refusal, CertificateNotTrusted, the fault of the receiver is CertificateNotTrusted`,
    },
  },
];
