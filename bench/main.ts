// `npm run bench -- SCENARIO [...]`: what a scenario costs, and beside another commit whether it
// costs more than there.
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { checkOut, commitOf, isChanged } from "@rollcast/testkit/checkout";
import { alertsOptions } from "./alerts/alerts-options.ts";
import { benchAlerts } from "./alerts/main.ts";
import { benchInterference } from "./interference/main.ts";
import { interferenceOptions } from "./interference/interference-options.ts";
import { nodeOptionsOf, openImages } from "./lab/image.ts";
import type { Images } from "./lab/image.ts";
import { optionsOf, usage } from "./options.ts";
import type { Options } from "./options.ts";
import { compareRounds } from "./report/compare.ts";
import type { Round } from "./report/compare.ts";
import { tableOf } from "./report/table.ts";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/**
 * One after the other and each first in turn, so that what else the machine does meets both.
 */
async function measureRounds(
  { scenario, sizes, rounds, limit, nodeOptions }: Options,
  now: Images,
  base: Images | undefined,
): Promise<Round[]> {
  const measure = (images: Images) => scenario.measure({ images, limit, nodeOptions }, sizes);
  const done: Round[] = [];
  for (let i = 0; i < rounds; i++) {
    print(`round ${i + 1} of ${rounds}`);
    if (base === undefined) {
      done.push({ measured: await measure(now) });
    } else if (i % 2 === 0) {
      const before = await measure(base);
      done.push({ base: before, measured: await measure(now) });
    } else {
      const measured = await measure(now);
      done.push({ measured, base: await measure(base) });
    }
  }
  return done;
}

async function bench(options: Options): Promise<void> {
  const { scenario, sizes, rounds, base, limit, json } = options;
  await using undo = new AsyncDisposableStack();
  const now = `${await commitOf("HEAD")}${(await isChanged()) ? " with changes" : ""}`;
  const other = base === undefined ? undefined : undo.use(await checkOut(base));
  const before =
    other === undefined ? undefined : undo.use(await openImages(scenario.services, other.root));
  const images = undo.use(await openImages(scenario.services));
  const flags = [...(await nodeOptionsOf(limit)), ...options.nodeOptions].join(" ");
  const amounts = Object.entries(sizes).map(([size, count]) => `${count} ${size}`);
  const beside = other === undefined ? "" : `, base ${other.commit}`;
  print(`${scenario.name} of ${now}${beside}: ${amounts.join(", ")}; ${flags}`);
  const rows = compareRounds(await measureRounds(options, images, before));
  print(`\n${tableOf(rows)}`);
  if (json === undefined) return;
  const figures = {
    scenario: scenario.name,
    sizes,
    rounds,
    commit: now,
    base: other?.commit,
    rows,
  };
  await writeFile(json, `${JSON.stringify(figures, null, 2)}\n`);
}

/** What the arguments ask for. Throws where they are wrong. */
function parse([name, ...rest]: readonly string[]): () => Promise<number> {
  if (name === "interference") {
    const options = interferenceOptions(rest);
    return () => benchInterference(options, print);
  }
  if (name === "alerts") {
    const options = alertsOptions(rest);
    return () => benchAlerts(options, print);
  }
  const options = optionsOf(name === undefined ? [] : [name, ...rest]);
  return async () => {
    await bench(options);
    return 0;
  };
}

async function main(args: readonly string[]): Promise<number> {
  let run: () => Promise<number>;
  try {
    run = parse(args);
  } catch (err) {
    process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n\n${usage()}\n`);
    return 2;
  }
  return run();
}

process.exitCode = await main(process.argv.slice(2));
