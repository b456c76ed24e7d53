import type { Act, Schedule } from "../acts/act.ts";
import type { WorldConfig } from "../world/config.ts";

export type Case = readonly [config: WorldConfig, schedule: Schedule];

const PLAIN: WorldConfig = { replicas: 1, attempts: 1 };

/** Simpler forms of an act. */
function simpler(act: Act): Act[] {
  if (act.do === "lose answers" && act.times > 1) return [{ ...act, times: 1 }];
  if (act.do === "edit" && act.edit !== "removes the marker") {
    return [{ ...act, edit: "removes the marker" }];
  }
  if (act.do !== "pass") return [];
  const { until: _, ...rest } = act;
  return [
    ...(act.until === undefined ? [] : [rest]),
    ...(act.cluster ? [] : [{ ...act, cluster: true }]),
    ...(act.ms > 5_000 ? [{ ...act, ms: 5_000 }] : []),
  ];
}

function* candidates([config, schedule]: Case): Generator<Case> {
  if (JSON.stringify(config) !== JSON.stringify(PLAIN)) yield [PLAIN, schedule];
  if (config.replicas > 1) yield [{ ...config, replicas: 1 }, schedule];
  for (const name of [
    "minReadySeconds",
    "kind",
    "update",
    "maxRolling",
    "restarters",
    "workloads",
    "haltAfter",
    "breaksWith",
  ] as const) {
    const { [name]: value, ...rest } = config;
    if (value !== undefined) yield [rest, schedule];
  }
  for (let i = 0; i < schedule.length; i++) yield [config, schedule.toSpliced(i, 1)];
  for (let i = 0; i < schedule.length; i++) {
    for (let j = i + 1; j < schedule.length; j++) {
      yield [config, schedule.filter((_, at) => at !== i && at !== j)];
    }
  }
  for (const [i, act] of schedule.entries()) {
    for (const form of simpler(act)) yield [config, schedule.with(i, form)];
  }
}

/** A case near the given one of which no act can be left out or made simpler. */
export async function shorten(
  given: Case,
  isWanted: (candidate: Case) => Promise<boolean>,
): Promise<Case> {
  for (const candidate of candidates(given)) {
    if (await isWanted(candidate)) return shorten(candidate, isWanted);
  }
  return given;
}
