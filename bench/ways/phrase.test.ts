import { expect, test } from "vitest";
import { phraseOf } from "./block.ts";

const FILE = "services/x/src/source-consumer.ts";

test.each([
  ["its first sentence", "/** Consumes events. Until disposal. */", "Consumes events"],
  ["up to a semicolon", "/** Consumes events; throws nothing. */", "Consumes events"],
  ["over several lines", "/**\n * Consumes\n * events.\n */", "Consumes events"],
  ["with a link as code", "/** Consumes {@link Event}. */", "Consumes `Event`"],
  ["past an abbreviation", "/** Consumes, e.g. events. More. */", "Consumes, e.g. events"],
])("the docstring of what a file is named for gives its phrase: %s", (_, docstring, phrase) => {
  expect(phraseOf(FILE, `${docstring}\nexport function startSourceConsumer() {}\n`)).toBe(phrase);
});

test.each([
  [
    "another export has",
    "/** Other. */\nexport const LIMIT = 1;\nexport class SourceConsumer {}\n",
  ],
  ["what is not exported has", "/** Other. */\nfunction sourceConsumer() {}\n"],
  ["nothing has", "export class SourceConsumer {}\n"],
])("a docstring that %s gives none", (_, source) => {
  expect(phraseOf(FILE, source)).toBe("");
});
