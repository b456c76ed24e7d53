import { expect, test } from "vitest";
import type { Schedule } from "./acts/act.ts";
import type { KubeObject } from "./cluster/object-store.ts";
import { run } from "./run/run.ts";
import type { WorldConfig } from "./world/config.ts";
import type { History } from "./world/history.ts";
import { violationsOf } from "./oracle/oracle.ts";

const CONFIG: WorldConfig = { kind: "CronJob", update: "Forbid", replicas: 1, attempts: 1 };
/** A Job that goes on until its pods are deleted, and later a change. */
const BESIDE: Schedule = [
  { do: "edit", edit: "makes its pods never ready" },
  { do: "run Job", by: "schedule" },
  { do: "pass", ms: 5_000, cluster: true },
  { do: "change source", source: "cfg", value: 1 },
  { do: "pass", ms: 5_000, cluster: true },
];
const ours = (history: History) =>
  violationsOf(history)
    .filter(({ property }) => property === "owned work is its owner's")
    .map(({ what }) => what);

test("with Forbid a Job is waited for, and one that is run beside it is seen", async () => {
  const { history } = await run(CONFIG, BESIDE);
  expect(ours(history)).toEqual([]);
  const allowed = await run({ ...CONFIG, update: undefined }, BESIDE);
  expect(ours(allowed.history)).toEqual([]);
  const forbidden = allowed.history.map((entry) => {
    if (entry.type !== "object" || entry.write.object.kind !== "CronJob") return entry;
    const { object } = entry.write;
    const spec = { ...object.spec, concurrencyPolicy: "Forbid" };
    return { ...entry, write: { ...entry.write, object: { ...object, spec } } };
  });
  expect(ours(forbidden)).toEqual([expect.stringMatching(/^a Job is run beside web-\d+$/)]);
});

test("a Job of a CronJob that the restarter deletes is seen", async () => {
  const { history } = await run(CONFIG, BESIDE);
  const isJob = (object: KubeObject) => object.kind === "Job";
  const at = history.findIndex((entry) => entry.type === "object" && isJob(entry.write.object));
  const made = history[at];
  if (made?.type !== "object") throw new Error("no Job");
  const deleted = { ...made, by: "rollcast", write: { ...made.write, type: "DELETED" as const } };
  expect(ours([...history.slice(0, at + 1), deleted, ...history.slice(at + 1)])).toEqual([
    `Job ${made.write.object.metadata.name} is deleted`,
  ]);
});
