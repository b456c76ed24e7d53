import { expect, test } from "vitest";
import { mergeAnswers } from "./tail.ts";

test.each<[name: string, answers: (number | null)[], seqs: number[], isEnd: boolean]>([
  ["no message matches", [null, null], [], true],
  ["every message matches", [5, 6, 7], [5, 6, 7], false],
  ["few messages match, so answers repeat", [9, 9, 9, 12], [9, 12], false],
  ["the end is reached", [5, 6, null, null], [5, 6], true],
  ["two messages were stored after the first answer, which knew of none", [null, 6], [], true],
  ["messages were stored between two answers", [5, null, 7], [5], true],
])("%s", (_name, answers, seqs, isEnd) => {
  const messages = answers.map((seq) => (seq === null ? null : { seq }));
  const batch = mergeAnswers(messages);
  expect(batch.messages.map(({ seq }) => seq)).toEqual(seqs);
  expect(batch.isEnd).toBe(isEnd);
});
