import { expect, test } from "vitest";
import { longProse } from "./prose.ts";
import { readPages } from "./read-sources.ts";

test("no line of prose is wider than 100 columns", async () => {
  const pages = await readPages();

  expect(pages.length).toBeGreaterThan(40);
  expect(longProse(pages)).toEqual([]);
});

const LONG = "word ".repeat(30).trimEnd();

function faults(text: string): string[] {
  return longProse([{ file: "a.md", text }]);
}

test.each([
  ["a paragraph", `# A\n\n${LONG}\n`, 3],
  ["an item of a list", `- a\n- ${LONG}\n`, 2],
  ["the rest of an item", `1. a\n   ${LONG}\n`, 2],
  ["a line after code", `\`\`\`console\n$ ls\n\`\`\`\n${LONG}\n`, 4],
  ["a line after code in a list", `- a\n  \`\`\`\n  b\n  \`\`\`\n  ${LONG}\n`, 5],
  ["a line after a rule", `a\n\n---\n\n${LONG}\n`, 5],
])("%s that is too wide is found by its number", (_, text, line) => {
  expect(faults(text)[0]).toMatch(new RegExp(`^a\\.md:${line}: a line of 1\\d\\d columns$`));
});

test.each([
  ["a paragraph that is wrapped", "word ".repeat(20).trimEnd()],
  ["code", `\`\`\`console\n$ ${LONG}\n\`\`\`\n`],
  ["code in a list", `- a\n  \`\`\`\n  ${LONG}\n  \`\`\`\n`],
  ["a table", `| a |\n|---|\n| ${LONG} |\n`],
  ["a heading", `## ${LONG}\n`],
  ["front matter", `---\ntitle: ${LONG}\n---\n\na\n`],
  ["a link alone", `- [a](https://x.example/${"y".repeat(100)})\n`],
  ["a comment", `<!-- ${LONG} -->\n`],
])("%s may stand", (_, text) => {
  expect(faults(text)).toEqual([]);
});
