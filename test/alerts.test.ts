import { execFile } from "node:child_process";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { promtool } from "@rollcast/testkit/promtool";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { Recorded, expectedOf, looksAt, ruleTests, timeOf } from "./alert-rule-tests.ts";
import { FIRINGS, NEAR } from "./alerts.ts";
import { metricsIn } from "./exposition.ts";
import { temporaryDir } from "./temporary.ts";

const ROOT = repositoryRoot();
const ALERTS = join(ROOT, "deploy", "charts", "rollcast", "files", "alerts.yaml");
const FIXTURES = join(ROOT, "test", "fixtures", "alerts");

const Labels = z.record(z.string(), z.string());
const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({ alert: z.string(), expr: z.string(), labels: Labels, annotations: Labels }),
      ),
    }),
  ),
});

const rules = Rules.parse(parse(await readFile(ALERTS, "utf8"))).groups.flatMap(
  (group) => group.rules,
);
const files = (await readdir(FIXTURES)).filter((name) => name.endsWith(".json"));
const recordings = await Promise.all(
  files.map(async (file) =>
    Recorded.parse(JSON.parse(await readFile(join(FIXTURES, file), "utf8"))),
  ),
);

function recordingOf(name: string): Recorded {
  const recording = recordings.find(({ scenario }) => scenario === name);
  if (recording === undefined) throw new Error(`there is no recording ${name}`);
  return recording;
}

test("of every alert something is recorded in which it must fire, and something close to it in which it must not", () => {
  const names = rules.map(({ alert }) => alert).toSorted();
  expect([...new Set(FIRINGS.map(({ alert }) => alert))].toSorted()).toEqual(names);
  expect(Object.keys(NEAR).toSorted()).toEqual(names);
  for (const [alert, acts] of Object.entries(NEAR)) {
    for (const { scenario, act } of acts) {
      const at = timeOf(recordingOf(scenario), act);
      const own = FIRINGS.filter(
        (firing) => firing.alert === alert && firing.scenario === scenario,
      );
      const expected = own.map((firing) => expectedOf(recordingOf(scenario), firing, at));
      const isSilent = expected.every((status) => status === "silent");
      expect(isSilent, `${alert} may fire at ${act} of ${scenario}`).toBe(true);
    }
  }
});

test.for(FIRINGS)("$alert in $scenario after $after is looked at while it must fire", (firing) => {
  const recording = recordingOf(firing.scenario);
  const looks = looksAt(recording).map((at) => expectedOf(recording, firing, at));
  expect(looks).toContain("fires");
});

test("a recording has every metric that an alert asks for", () => {
  for (const { alert, expr } of rules) {
    const recorded = new Set(
      FIRINGS.filter((firing) => firing.alert === alert).flatMap(({ scenario }) =>
        Object.keys(recordingOf(scenario).series).map((key) => key.slice(0, key.indexOf("{"))),
      ),
    );
    const missing = metricsIn(expr).filter((name) => !recorded.has(name));
    expect(missing, `${alert}: npm run bench -- alerts`).toEqual([]);
  }
});

test("alerts fire and are silent in every recording, as Prometheus' own tool reckons", async ({
  skip,
}) => {
  const tool = await promtool();
  if (tool === undefined) return skip("no promtool: Debian's packages are not to be had here");
  await using temporary = await temporaryDir("alerts");
  const written = recordings.map(async (recording) => {
    const tests = ruleTests(recording, rules, FIRINGS);
    expect(tests.tests[0]?.alert_rule_test.length).toBeGreaterThan(rules.length * 5);
    const file = join(temporary.dir, `${recording.scenario}.yaml`);
    await writeFile(file, stringify({ rule_files: [ALERTS], ...tests }));
    return file;
  });

  // It fails where an alert does not fire, or fires in vain, and says which.
  const { stdout } = await promisify(execFile)(tool, [
    "test",
    "rules",
    ...(await Promise.all(written)),
  ]);
  expect(stdout.match(/SUCCESS/g)).toHaveLength(recordings.length);
});
