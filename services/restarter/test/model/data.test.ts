import { expect, test } from "vitest";
import { formatMarker } from "../../src/model/content.ts";
import type { OutboxEvent, Rollout } from "../../src/model/workload-record.ts";
import type { Schedule } from "./acts/act.ts";
import { run } from "./run/run.ts";
import { NAMESPACE } from "./world/config.ts";
import type { Entry, History } from "./world/history.ts";
import { violationsOf } from "./oracle/oracle.ts";

const CONFIG = { replicas: 1, attempts: 1 };
const CHANGED: Schedule = [{ do: "change source", source: "cfg", value: 1 }];

function says(history: History): string[] {
  return violationsOf(history).map(({ property, what }) => `${property}: ${what}`);
}

/** The history with other data in its events of one outcome. */
function withData(
  history: History,
  outcome: string,
  data: (data: OutboxEvent["data"]) => Partial<OutboxEvent["data"]>,
): History {
  return history.map((entry) =>
    entry.type === "event" && entry.event.outcome === outcome
      ? {
          ...entry,
          event: { ...entry.event, data: { ...entry.event.data, ...data(entry.event.data) } },
        }
      : entry,
  );
}

/** The history with another rollout wherever its records have one. */
function withRollout(history: History, change: (rollout: Rollout) => Rollout): History {
  return history.map((entry) => {
    if (entry.type !== "record" || entry.record?.rollout === undefined) return entry;
    return { ...entry, record: { ...entry.record, rollout: change(entry.record.rollout) } };
  });
}

/** The history with the event of this outcome again, changed. */
function withAnother(
  history: History,
  outcome: OutboxEvent["outcome"],
  change: (event: OutboxEvent) => OutboxEvent,
): History {
  return history.flatMap((entry): Entry[] =>
    entry.type === "event" && entry.event.outcome === outcome
      ? [entry, { ...entry, event: change(entry.event) }]
      : [entry],
  );
}

const { history } = await run(CONFIG, CHANGED);
const refused = await run(CONFIG, [{ do: "policy", policy: "refuses our writes" }, ...CHANGED]);

test("what a restarter publishes of a change is true", () => {
  expect(says(history)).toEqual([]);
  expect(says(refused.history)).toEqual([]);
});

test.each<[string, string, (data: OutboxEvent["data"]) => Partial<OutboxEvent["data"]>, string]>([
  [
    "the generation before",
    "started",
    () => ({ generation: 1 }),
    "it is told of generation 1, now",
  ],
  ["no generation", "started", () => ({ generation: undefined }), "generation undefined"],
  ["no source", "started", () => ({ sources: 0 }), "it brings 1 sources, and 0 are told"],
  ["too many workloads", "started", () => ({ affected: 9 }), "its cause concerns 9 workloads"],
  ["no cause", "succeeded", () => ({ cause: undefined }), "no cause is told"],
  [
    "another cause",
    "succeeded",
    ({ cause }) => ({ cause: { ...(cause as NonNullable<typeof cause>), name: "late" } }),
    "ConfigMap/shop/late is told as its cause, and it is not",
  ],
  ["a pause", "started", () => ({ reason: "Paused" }), "it is told as paused, and is not"],
  ["no duration", "succeeded", () => ({ durationMs: undefined }), "succeeded after undefined ms"],
  [
    "a plan's cause left out",
    "planned",
    () => ({ cause: undefined }),
    "planned, without its cause",
  ],
])("%s is seen", (_, outcome, data, what) => {
  expect(says(withData(history, outcome, data))).toContainEqual(expect.stringContaining(what));
});

test("an event of another time, a plan without a change, and a skip that nobody wants are seen", () => {
  const later = history.map((entry) =>
    entry.type === "event" && entry.event.outcome === "succeeded"
      ? { ...entry, event: { ...entry.event, time: entry.event.time + 1 } }
      : entry,
  );
  expect(says(later)).toContain("data is true: succeeded is told as of another time than it was");

  const changeCount = 4;
  let planned: History = history;
  for (let i = 0; i < changeCount; i++) {
    planned = withAnother(planned, "planned", (event) => ({ ...event, id: `${event.id}${i}` }));
  }
  expect(says(planned)).toContain(
    "nothing is told without cause: planned more often than content has changed",
  );

  const skipped = withAnother(history, "planned", (event) => ({
    ...event,
    id: "skip",
    outcome: "skipped",
    data: { ...event.data, reason: "Observe" },
  }));
  expect(says(skipped)).toContain("nothing is told without cause: skipped, and nobody wants that");
});

test("a marker that says other content than its rollout brings is seen", () => {
  const stale = withRollout(history, (rollout) => {
    const older = Object.entries(rollout.wanted).map(
      ([key, content]) => [key, { ...content, digest: `k1.${"0".repeat(32)}` }] as const,
    );
    return { ...rollout, marker: formatMarker(Object.fromEntries(older), NAMESPACE) };
  });
  expect(says(stale)).toContainEqual(expect.stringContaining("the marker has other content of"));
});

test("a refusal without a message, or for a reason that nobody gave, is seen", () => {
  const of = (data: Partial<OutboxEvent["data"]>) =>
    says(withData(refused.history, "failed", () => data));
  expect(of({ message: "" })).toContainEqual(expect.stringContaining("without a message"));
  expect(of({ reason: "TooManyRequests" })).toContain(
    "data is true: failed (TooManyRequests), which no server has answered",
  );
  expect(of({ reason: "BackoffLimitExceeded" })).toContain(
    "data is true: failed (BackoffLimitExceeded), which no Deployment does",
  );
});

test("a rollout that begins long after its change is seen", async () => {
  const late = 1_200_000;
  const at = history.find(
    (entry) => entry.type === "event" && entry.event.outcome === "started",
  )?.at;
  const moved = history.map((entry) => {
    if (entry.at < (at ?? 0)) return entry;
    const shifted = { ...entry, at: entry.at + late };
    if (shifted.type !== "event") return shifted;
    return { ...shifted, event: { ...shifted.event, time: shifted.event.time + late } };
  });
  expect(says(moved)).toContainEqual(expect.stringContaining("s after the change"));
});

test("a skip that is told twice for one change, and a Job that was not paused, are seen", async () => {
  const suspended = await run({ ...CONFIG, kind: "Job" }, [
    // One that has run to its end stays as it is.
    { do: "edit", edit: "deletes it" },
    { do: "pass", ms: 1_500, cluster: true },
    { do: "edit", edit: "applies the manifest" },
    { do: "edit", edit: "pauses it" },
    { do: "pass", ms: 5_000, cluster: true },
    ...CHANGED,
  ]);
  expect(says(suspended.history)).toEqual([]);
  const again = withAnother(suspended.history, "skipped", (event) => ({ ...event, id: "again" }));
  expect(says(again)).toContain(
    "nothing is told without cause: skipped is told more often than content changed",
  );

  const job = await run({ ...CONFIG, kind: "Job" }, CHANGED);
  expect(says(withData(job.history, "started", () => ({ reason: "Paused" })))).toContain(
    "data is true: it is told as paused, and is not",
  );
});

test("a refusal that is told twice for one content is seen", () => {
  const again = withAnother(refused.history, "failed", (event) => ({ ...event, id: "again" }));

  expect(says(again)).toContainEqual(expect.stringMatching(/^told once: failed .* is told twice$/));
});
