import { readFile } from "node:fs/promises";
import { violationsOf } from "../oracle/oracle.ts";
import { caseText, replayOf } from "../run/print.ts";
import type { Run } from "../run/run.ts";
import { run } from "../run/run.ts";
import { findingOf } from "./findings.ts";
import type { Finding } from "./findings.ts";

export function findingFile({ name }: Finding): URL {
  return new URL(`${name}.txt`, import.meta.url);
}

/** A finding with its shortest schedule, as its file has it. */
export function findingText(finding: Finding, done: Run): string {
  const title = `${finding.about[0]?.toUpperCase()}${finding.about.slice(1)}.`;
  return `${title}\n\n${caseText(done, violationsIn(finding, done))}`;
}

/** What the oracle says in a run that belongs to the finding. */
export function violationsIn(finding: Finding, done: Run) {
  return violationsOf(done.history).filter(
    (violation) => findingOf(done, violation)?.name === finding.name,
  );
}

/** Runs the schedule of a finding's file. */
export async function replayFinding(finding: Finding): Promise<{ text: string; done: Run }> {
  const text = await readFile(findingFile(finding), "utf8");
  return { text, done: await run(...replayOf(text)) };
}
