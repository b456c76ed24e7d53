// `npm run model`: see USAGE.
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { inspect, parseArgs } from "node:util";
import { casesAroundPatch } from "./around-patch.ts";
import { explore, foundText, unknownViolations } from "./explore.ts";
import { findingOf } from "./findings/findings.ts";
import { violationsOf } from "./oracle/oracle.ts";
import { caseText, historyText, replayOf, scheduleText, violationText } from "./run/print.ts";
import { run } from "./run/run.ts";
import { SHAPES, shapeName } from "./world/config.ts";
import type { WorldShape } from "./world/config.ts";

const MINUTE_MS = 60_000;
const MAX_SEED = 1_000_000;
/** How often it says how far it is, in schedules. */
const REPORT_EVERY = 500;

const USAGE = `usage: npm run model -- [--minutes N] [--seed S] [--shape NAME]
       npm run model -- --replay FILE
       npm run model -- --around-patch
       npm run model -- --against-controllers [--argo | --nodes] [--schedules N] [--seed S]
shapes: ${SHAPES.map(shapeName).join(", ")}`;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs the case in a file, and says what happens; whether all of it is known. */
async function replay(file: string): Promise<boolean> {
  const done = await run(...replayOf(await readFile(file, "utf8")));
  print(scheduleText(done.config, done.schedule));
  print(historyText(done.history));
  const violations = violationsOf(done.history);
  for (const violation of violations) {
    const name = findingOf(done, violation)?.name ?? "new";
    print(`${violationText(violation)} [${name}]`);
  }
  return violations.every((violation) => findingOf(done, violation) !== undefined);
}

function shapesOf(name: string | undefined): readonly WorldShape[] {
  return SHAPES.filter((shape) => name === undefined || shapeName(shape) === name);
}

/** Tries everything around a patch, and prints each form of what is new once; whether none is. */
async function exploreAroundPatch(): Promise<boolean> {
  const forms = new Set<string>();
  let schedules = 0;
  for (const [config, schedule] of casesAroundPatch()) {
    const done = await run(config, schedule);
    schedules += 1;
    if (schedules % REPORT_EVERY === 0) print(`model: ${schedules} schedules`);
    const violations = unknownViolations(done, violationsOf(done.history));
    const form = violations.map(violationText).join("; ");
    if (violations.length === 0 || forms.has(form)) continue;
    forms.add(form);
    print(caseText(done, violations));
  }
  print(`model: ${schedules} schedules, ${forms.size} forms that are not known`);
  return forms.size === 0;
}

async function exploreFor(
  minutes: number,
  seed: number,
  shapes: readonly WorldShape[],
): Promise<boolean> {
  let schedules = 0;
  const began = performance.now();
  print(`model: ${minutes} min from seed ${seed}`);
  const hit = await explore({
    seeds: [seed],
    ms: minutes * MINUTE_MS,
    shapes,
    progress(more) {
      schedules += more;
      if (schedules % REPORT_EVERY !== 0) return;
      const perSecond = (schedules / (performance.now() - began)) * 1_000;
      print(`model: ${schedules} schedules, ${perSecond.toFixed(1)} a second`);
    },
  });
  if (hit !== undefined) print(foundText(hit));
  else print(`model: ${schedules} schedules keep the promise, but for what is known`);
  return hit === undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "1" },
      seed: { type: "string" },
      replay: { type: "string" },
      "around-patch": { type: "boolean", default: false },
      shape: { type: "string" },
      "against-controllers": { type: "boolean", default: false },
      argo: { type: "boolean", default: false },
      nodes: { type: "boolean", default: false },
      schedules: { type: "string", default: "200" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    print(USAGE);
    return 0;
  }
  const seed = values.seed === undefined ? randomInt(MAX_SEED) : Number(values.seed);
  const minutes = Number(values.minutes);
  const schedules = Number(values.schedules);
  const shapes = shapesOf(values.shape);
  const isAbove = (count: number) => Number.isFinite(count) && count > 0;
  const isNumbers = [minutes, schedules].every(isAbove) && Number.isSafeInteger(seed);
  if (!isNumbers || shapes.length === 0) {
    print(USAGE);
    return 2;
  }
  if (values.replay !== undefined) {
    return (await replay(values.replay)) ? 0 : 1;
  }
  if (values["around-patch"]) return (await exploreAroundPatch()) ? 0 : 1;
  if (values["against-controllers"]) {
    // Loaded only then: it starts servers.
    const { runAgainstControllers } = await import("./against/run.ts");
    const { argo, nodes } = values;
    return (await runAgainstControllers({ schedules, seed, argo, nodes, print })) ? 0 : 1;
  }
  return (await exploreFor(minutes, seed, shapes)) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch((err: unknown) => {
  const isOfUser = err instanceof Error && "code" in err;
  process.stderr.write(`${isOfUser ? err.message : inspect(err)}\n`);
  return 2;
});
