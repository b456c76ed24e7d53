import { readFile, readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import type { Schedule } from "../acts/act.ts";
import { START } from "../world/config.ts";
import { violationsOf } from "../oracle/oracle.ts";
import { replayOf } from "../run/print.ts";
import { run } from "../run/run.ts";
import { FINDINGS, findingOf } from "./findings.ts";
import { findingText, replayFinding, violationsIn } from "./finding-text.ts";

// A finding is a mark: what the present code does wrong. Its test fails when the code is mended.
test.each(FINDINGS)("known: $about", async (finding) => {
  const { text, done } = await replayFinding(finding);
  const { name } = finding;
  const mended = `mended: move ${name}.txt to mended/, and take "${name}" out of findings.ts`;

  expect(violationsIn(finding, done), mended).not.toEqual([]);
  expect(text, "the file says what the oracle says").toBe(findingText(finding, done));
});

// A finding that looked at the whole history would leave out every other fault of the same run.
test.each(FINDINGS)("hides nothing else: $about", async (finding) => {
  const { done } = await replayFinding(finding);

  const others = finding.breaks.map((property) => ({ property, i: 0, what: "something else" }));

  expect(others.map((other) => findingOf(done, other)?.name)).toEqual(others.map(() => undefined));
});

const MENDED = new URL("mended/", import.meta.url);

// What earlier code did wrong, by its shortest schedule.
test.each(await readdir(MENDED))("mended: %s", async (file) => {
  const text = await readFile(new URL(file, MENDED), "utf8");

  const done = await run(...replayOf(text));

  expect(violationsOf(done.history)).toEqual([]);
});

test("each file of a finding has its entry", async () => {
  const files = await readdir(new URL(".", import.meta.url));
  const texts = files.filter((file) => file.endsWith(".txt")).toSorted();

  expect(texts).toEqual(FINDINGS.map(({ name }) => `${name}.txt`).toSorted());
});

const CHANGED: Schedule = [
  { do: "pass", ms: 40_000, cluster: true },
  { do: "change source", source: "cfg", value: 1 },
];

test("what opted-out-job-keeps-manifest is about must have happened", async () => {
  const job = await run({ replicas: 1, attempts: 1, kind: "Job" }, CHANGED);
  const what = "a deleted Job is not made again, and its record does not say why";
  const lost = { property: "records are true", i: job.history.length - 1, what };
  expect(findingOf(job, { ...lost, workload: "Job/web" })).toBeUndefined();
});

test.each(["Deployment", "Rollout", "CronJob"] as const)(
  "a change that a %s does not get, and nobody knows why, is new",
  async (kind) => {
    const done = await run({ replicas: 1, attempts: 1, kind }, CHANGED);
    const changed = done.history.findIndex(
      (entry) => entry.type === "act" && entry.text.startsWith("ConfigMap cfg gets"),
    );
    const end = { at: START + 4_000_000, type: "note", text: "the end" } as const;
    // The act, and the write of it.
    const ended = { ...done, history: [...done.history.slice(0, changed + 2), end] };
    const lost = violationsOf(ended.history).filter(({ what }) => what.startsWith("pods lack"));

    expect(lost).toHaveLength(1);
    expect(lost.map((violation) => findingOf(ended, violation)?.name)).toEqual([undefined]);
  },
);
