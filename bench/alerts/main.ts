import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { commitOf, isChanged } from "@rollcast/testkit/checkout";
import { startCluster } from "@rollcast/testkit/cluster";
import type { AlertsOptions } from "./alerts-options.ts";
import { toError } from "@rollcast/shared/errors";
import { selectedBy, fixtureOf } from "./record/fixture.ts";
import type { Recording } from "./record/recorder.ts";
import { recordScenario } from "./record-scenario.ts";
import { ALERT_SCENARIOS } from "./scenarios/scenarios.ts";
import type { AlertScenario } from "./world/alert-scenario.ts";

const ROOT = repositoryRoot();
const RULES = join(ROOT, "deploy", "charts", "rollcast", "files", "alerts.yaml");
const FIXTURES = join(ROOT, "test", "fixtures", "alerts");

/** Throws where a name is none. */
function selected(only: readonly string[]): readonly AlertScenario[] {
  const byName = new Map(ALERT_SCENARIOS.map((scenario) => [scenario.name, scenario]));
  const names = only.length === 0 ? [...byName.keys()] : only;
  return names.map((name) => {
    const scenario = byName.get(name);
    if (scenario !== undefined) return scenario;
    throw new Error(`no scenario is called "${name}": there are ${[...byName.keys()].join(", ")}`);
  });
}

async function writeFixture(recording: Recording, to: string): Promise<void> {
  const about = ALERT_SCENARIOS.find(({ name }) => name === recording.scenario)?.about ?? "";
  const fixture = fixtureOf(recording, about, selectedBy(await readFile(RULES, "utf8")));
  await mkdir(to, { recursive: true });
  const file = join(to, `${recording.scenario}.json`);
  await writeFile(file, `${JSON.stringify(fixture, null, 2)}\n`);
}

/** Plays the scenarios beside each other; 1 where one of them failed. */
async function recordAll(
  { only, speed, keep, to = FIXTURES }: AlertsOptions,
  print: (line: string) => void,
): Promise<number> {
  const scenarios = selected(only);
  const commit = `${await commitOf("HEAD")}${(await isChanged()) ? " with changes" : ""}`;
  print(`alerts of ${commit}`);
  await using cluster = await startCluster();
  const play = async (scenario: AlertScenario) => {
    const { recording, failure } = await recordScenario(scenario, {
      cluster,
      commit,
      speed,
      print,
    });
    if (keep !== undefined) {
      await mkdir(keep, { recursive: true });
      await writeFile(join(keep, `${scenario.name}.json`), JSON.stringify(recording));
    }
    await writeFixture(recording, to);
    if (failure !== undefined) throw toError(failure);
    print(`${scenario.name} is recorded`);
  };
  const results = await Promise.allSettled(scenarios.map(play));
  const failed = results.filter((result) => result.status === "rejected");
  for (const { reason } of failed) print(String(reason instanceof Error ? reason.stack : reason));
  return failed.length === 0 ? 0 : 1;
}

/** Records, or makes the fixtures again from what was kept; returns the exit code. */
export async function benchAlerts(
  options: AlertsOptions,
  print: (line: string) => void,
): Promise<number> {
  const { from, to = FIXTURES } = options;
  if (from === undefined) return recordAll(options, print);
  for (const file of (await readdir(from)).filter((name) => name.endsWith(".json"))) {
    await writeFixture(JSON.parse(await readFile(join(from, file), "utf8")) as Recording, to);
  }
  return 0;
}
