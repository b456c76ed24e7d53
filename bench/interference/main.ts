import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commitOf, isChanged } from "@rollcast/testkit/checkout";
import { alignedText } from "../report/table.ts";
import { COMPARISONS } from "./comparisons/comparisons.ts";
import { outcomeOf } from "./evidence/evidence.ts";
import type { Evidence } from "./evidence/evidence.ts";
import type { InterferenceOptions } from "./interference-options.ts";
import { runInterference } from "./run.ts";

/** More than these help nobody; the JSON has all. */
const MAX_PRINTED = 40;

function countBy<T>(items: readonly T[], nameOf: (item: T) => string): [string, number][] {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a);
}

/** How much of everything was compared. */
function figuresOf({ writes, rejections, changes, pods, events }: Evidence): [string, number][] {
  const rejected = rejections.filter(({ isRollcast }) => isRollcast);
  return [
    ...countBy(writes, ({ by }) => `writes by ${by}`),
    ...countBy(rejected, ({ code }) => `patches of Rollcast rejected, ${code}`),
    ["writes of sources", changes.length],
    ["pods", pods.length],
    ...countBy(events, (event) => {
      const { reason } = event.data;
      return reason === undefined ? outcomeOf(event) : `${outcomeOf(event)}, ${reason}`;
    }),
  ];
}

/** Runs it, prints what was compared and what disagrees; 1 where something does. */
export async function benchInterference(
  options: InterferenceOptions,
  print: (line: string) => void,
): Promise<number> {
  const { json, keep } = options;
  const commit = `${await commitOf("HEAD")}${(await isChanged()) ? " with changes" : ""}`;
  if (keep !== undefined) await mkdir(keep, { recursive: true });
  print(`interference of ${commit}`);
  const { evidence, members } = await runInterference({ ...options, print });
  if (keep !== undefined) await writeFile(join(keep, "evidence.json"), JSON.stringify(evidence));
  const figures = figuresOf(evidence);
  const results = COMPARISONS.map(({ name, says, compare }) => ({
    name,
    says,
    ...compare(evidence),
  }));
  print(`\n${alignedText([["", "count"], ...figures.map(([name, count]) => [name, `${count}`])])}`);
  const rows = results.map(({ name, compared, disagreements }) => [
    name,
    `${compared}`,
    `${disagreements.length}`,
  ]);
  print(`\n${alignedText([["", "compared", "disagree"], ...rows])}`);
  const all = results.flatMap(({ name, disagreements }) =>
    disagreements.map((disagreement) => ({ name, ...disagreement })),
  );
  for (const { name, workload, at, what } of all.slice(0, MAX_PRINTED)) {
    const time = at === undefined ? "at the end" : new Date(at).toISOString();
    print(`${name}: ${workload} ${time}: ${what}`);
  }
  if (json !== undefined) {
    const { minutes, changes } = options;
    const report = { commit, minutes, changes, workloads: members.length, figures, results };
    await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return all.length === 0 ? 0 : 1;
}
