import type { Act, Schedule } from "./acts/act.ts";
import type { Case } from "./run/shorten.ts";
import type { WorldConfig } from "./world/config.ts";

const SHAPES: readonly Partial<WorldConfig>[] = [
  { kind: "Deployment", minReadySeconds: 10 },
  { kind: "StatefulSet" },
  { kind: "CronJob" },
  { kind: "Job" },
  { kind: "Rollout", update: "Restart" },
];

/** Where the restarter stands when something else happens; undefined: it has gone on. */
const PLACES = [
  "patch",
  "publish",
  "write record",
  "read record",
  "read workload",
  "add job",
  undefined,
] as const;

const OTHERS: readonly Act[] = [
  { do: "edit", edit: "opts out" },
  { do: "edit", edit: "edits the template" },
  { do: "edit", edit: "removes the marker" },
  { do: "edit", edit: "puts the marker before back" },
  { do: "edit", edit: "replaces it with the manifest" },
  { do: "edit", edit: "deletes it" },
  { do: "edit", edit: "deletes it and makes it again" },
  { do: "edit", edit: "pauses it" },
  { do: "change source", source: "cfg", value: 0 },
  { do: "change source", source: "cfg", value: 2 },
];

const loseAnswers = (of: "patch" | "read workload" | "write record", performed: boolean) =>
  ({ do: "lose answers", of, performed, times: 3 }) as const;
const KILL: Act = { do: "kill", replica: 0 };
const HOLD: Act = { do: "hold watches", of: "workloads", on: true };

/** What goes wrong: before the restarter comes to its place, and after what others do there. */
const FAULTS: readonly { readonly before: Schedule; readonly after: Schedule }[] = [
  { before: [], after: [KILL] },
  { before: [KILL], after: [] },
  { before: [loseAnswers("patch", true), loseAnswers("read workload", false)], after: [] },
  { before: [loseAnswers("write record", true)], after: [] },
  {
    before: [HOLD, loseAnswers("patch", true)],
    after: [
      { do: "break watches", expired: true },
      { do: "hold watches", of: "workloads", on: false },
    ],
  },
  { before: [HOLD, loseAnswers("patch", true)], after: [{ do: "empty Redis" }, KILL] },
];

const pass = (ms: number, until?: (typeof PLACES)[number]): Act =>
  until === undefined
    ? { do: "pass", ms, cluster: false }
    : { do: "pass", ms, until, cluster: false };

/**
 * Every schedule in which one thing goes wrong and another happens around a patch: what only a few
 * of millions of random ones have. About 4,000.
 */
export function* casesAroundPatch(): Generator<Case> {
  for (const shape of SHAPES) {
    for (const attempts of [1, 3]) {
      for (const { before, after } of FAULTS) {
        for (const place of PLACES) {
          for (const other of OTHERS) {
            const schedule: Schedule = [
              { do: "change source", source: "cfg", value: 1 },
              pass(5_000, "patch"),
              ...before,
              pass(100, place),
              other,
              ...after,
              { do: "pass", ms: 40_000, cluster: true },
            ];
            yield [{ replicas: 2, attempts, ...shape }, schedule];
          }
        }
      }
    }
  }
}
