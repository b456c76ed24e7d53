import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { FINDINGS } from "./findings.ts";
import { findingText, replayFinding, violationsIn } from "./finding-text.ts";

// A finding is a mark: what the present code does wrong. Its test fails when the code is mended.
test.each(FINDINGS)("known: $about", async (finding) => {
  const { text, done } = await replayFinding(finding);
  const { name } = finding;
  const mended = `mended: take ${name}.txt away, and "${name}" from findings.ts`;

  expect(violationsIn(finding, done), mended).not.toEqual([]);
  expect(text, "the file says what the oracle says").toBe(findingText(finding, done));
});

test("each file of a finding has its entry", async () => {
  const files = await readdir(new URL(".", import.meta.url));
  const texts = files.filter((file) => file.endsWith(".txt")).toSorted();

  expect(texts).toEqual(FINDINGS.map(({ name }) => `${name}.txt`).toSorted());
});
