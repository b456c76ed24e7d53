import { expect, test } from "vitest";
import type { Act } from "../acts/act.ts";
import { violationsOf } from "../oracle/oracle.ts";
import { historyText } from "./print.ts";
import { SHAPES } from "../world/config.ts";
import type { WorldConfig } from "../world/config.ts";
import { run } from "./run.ts";

const ONE: WorldConfig = { replicas: 2, attempts: 3 };
const change: Act = { do: "change source", source: "cfg", value: 1 };
const pass: Act = { do: "pass", ms: 5_000, cluster: true };

async function outcomes(config: WorldConfig, ...schedule: Act[]): Promise<string[]> {
  const { history } = await run(config, schedule);
  expect(violationsOf(history)).toEqual([]);
  return history.flatMap((entry) =>
    entry.type === "event" && entry.duplicate !== true ? [entry.event.outcome] : [],
  );
}

const ROLLED = ["planned", "started", "succeeded"];

test.each<WorldConfig>([
  ONE,
  ...SHAPES.map((shape) => ({ ...ONE, ...shape })),
  { ...ONE, restarters: 2 },
  { ...ONE, maxRolling: 1, minReadySeconds: 10 },
])("a change rolls the workload once, to its end: %o", async (config) => {
  expect(await outcomes(config, change, pass)).toEqual(ROLLED);
});

test.each<[WorldConfig, string]>([
  [{ ...ONE, kind: "StatefulSet", update: "OnDelete" }, "web-0, web-1"],
  [{ ...ONE, kind: "DaemonSet", update: "OnDelete" }, "web-m"],
  [{ ...ONE, kind: "StatefulSet", update: "Partition" }, "web-0"],
])("pods that wait for their owner keep their content and are named: %o", async (config, names) => {
  const { history } = await run(config, [change, pass]);
  const end = history.find(
    (entry) => entry.type === "event" && entry.event.outcome === "succeeded",
  );

  expect(end).toMatchObject({
    event: { data: { reason: config.update, message: expect.stringContaining(names) as string } },
  });
});

test("nothing is rolled where nothing changes", async () => {
  expect(await outcomes(ONE, pass, { do: "scale", replicas: 3 }, pass)).toEqual([]);
});

test("a restarter that is killed before its patch is followed by one that patches", async () => {
  const until: Act = { do: "pass", ms: 5_000, until: "patch", cluster: true };
  expect(await outcomes(ONE, change, until, { do: "kill", replica: 0 })).toEqual(ROLLED);
});

test("one replica goes on where the other has stopped", async () => {
  const until: Act = { do: "pass", ms: 60_000, until: "write record", cluster: true };
  const all = await outcomes({ ...ONE, restarters: 2 }, change, until);
  expect(all.toSorted()).toEqual(ROLLED);
});

test.each<Act>([
  { do: "empty Redis" },
  { do: "break watches", expired: true },
  { do: "touch records" },
  { do: "lose answers", of: "publish", performed: true, times: 2 },
  { do: "lose answers", of: "write record", performed: true, times: 2 },
])("a change is rolled once all the same: %o", async (act) => {
  const all = await outcomes(ONE, change, act, pass);
  expect([...new Set(all)]).toEqual(ROLLED);
});

test("a change in an outage of NATS is rolled once, be it planned or found", async () => {
  const all = await outcomes(ONE, change, { do: "NATS outage", on: true }, pass);
  expect(all.filter((word) => word !== "planned")).toEqual(["started", "succeeded"]);
});

test("what is frozen waits, and is rolled when the freeze ends", async () => {
  const freeze: Act = { do: "freeze", minutes: 5 };
  expect(await outcomes(ONE, freeze, pass, change, pass)).toEqual([
    "planned",
    "deferred",
    "started",
    "succeeded",
  ]);
});

const SEVERAL: WorldConfig = { ...ONE, workloads: 3, maxRolling: 1 };

test("of several workloads one rolls after the other, and the others say why they wait", async () => {
  const all = await outcomes(SEVERAL, change, pass);
  const count = (outcome: string) => all.filter((other) => other === outcome).length;

  expect(["started", "deferred", "succeeded"].map(count)).toEqual([3, 2, 3]);
});

test("content with which no pod gets ready halts the others", async () => {
  const config: WorldConfig = { ...SEVERAL, haltAfter: 1, breaksWith: 1 };
  const all = await outcomes(config, change, { ...pass, ms: 720_000 } as Act);
  const count = (outcome: string) => all.filter((other) => other === outcome).length;

  expect(["started", "failed", "succeeded"].map(count)).toEqual([1, 1, 0]);
});

test("what was halted is rolled when an operator resumes it", async () => {
  const config: WorldConfig = { ...SEVERAL, haltAfter: 1, breaksWith: 1 };
  const failing = { ...pass, ms: 720_000 } as Act;
  const all = await outcomes(config, change, failing, { do: "resume halted" }, failing);

  expect(all.filter((outcome) => outcome === "started")).toHaveLength(2);
});

test.each<[WorldConfig, Act, string]>([
  [{ ...ONE, replicas: 1 }, { do: "pod quota", pods: 1 }, "failed"],
  [{ ...ONE, kind: "DaemonSet" }, { do: "node", node: "node-1", alive: false }, "stalled"],
])("pods that cannot be made keep a rollout from succeeding: %o, %o", async (config, act, end) => {
  const all = await outcomes(config, act, change, { ...pass, ms: 720_000 } as Act);

  expect(all).toEqual(["planned", "started", end]);
});

test("a paused queue begins nothing until it is resumed", async () => {
  const paused: Act = { do: "pause queue", on: true };
  const all = await outcomes(ONE, paused, change, pass);

  expect(all).toEqual(["planned", "deferred"]);
  expect(await outcomes(ONE, paused, change, pass, { do: "pause queue", on: false })).toEqual([
    ...all,
    "started",
    "succeeded",
  ]);
});

test("the same schedule has the same history", async () => {
  const schedule: Act[] = [change, { do: "kill", replica: 0 }, pass, { do: "restore" }];
  const [first, second] = [await run(ONE, schedule), await run(ONE, schedule)];

  expect(historyText(first.history)).toBe(historyText(second.history));
});

test("time is the process's own again after a schedule", async () => {
  const before = { now: Date.now, setTimeout: globalThis.setTimeout };
  await run(ONE, [change]);

  expect({ now: Date.now, setTimeout: globalThis.setTimeout }).toEqual(before);
});
