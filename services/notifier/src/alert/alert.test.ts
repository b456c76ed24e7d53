import fc from "fast-check";
import { expect, test } from "vitest";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import type { RolloutOutcome } from "@rollcast/shared/events";
import { AlertRecord } from "../model/alert-record.ts";
import { ALERT_OUTCOMES, alertsOf, foldAlert, isSpent } from "./alert.ts";
import type { AlertSettings } from "./alert.ts";

const TIME = Date.parse("2026-11-23T03:00:00.000Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SETTINGS: AlertSettings = {
  cluster: "prod",
  labels: { team: "shop" },
  generatorUrl: "https://rollcast.example.com/",
  resolveAfterMs: 24 * HOUR,
};

type OutcomeAt = readonly [RolloutOutcome, number];

/** The record after events, each with its minute. */
function after(outcomes: readonly OutcomeAt[], name = "web"): AlertRecord {
  let record: AlertRecord | undefined;
  for (const [outcome, minute] of outcomes) {
    const workload = { kind: "Deployment", namespace: "shop", name, uid: "u" };
    const time = TIME + minute * MINUTE;
    const parts = { id: `${outcome}-${minute}`, cluster: "prod", service: "r", time };
    const event = rolloutEvent(parts, outcome, { workload, rollout: "r-1" });
    const text = { summary: `${outcome} at ${minute}`, description: "why" };
    record = foldAlert(record, event, { receiver: "am", text, now: TIME });
  }
  if (record === undefined) throw new Error("there was no event");
  return record;
}

/** `failed 0-` fires since minute 0, `failed 0-5` ended at minute 5. */
function shown(outcomes: readonly OutcomeAt[]): string[] {
  const { failed, stalled } = after(outcomes);
  return Object.entries({ failed, stalled }).flatMap(([name, { startsAt, endsAt }]) => {
    if (startsAt === undefined) return [];
    const minute = (at: number | undefined) => (at === undefined ? "" : (at - TIME) / MINUTE);
    return [`${name} ${minute(startsAt)}-${minute(endsAt)}`];
  });
}

test.each([
  { outcomes: [["failed", 0]], alerts: ["failed 0-"] },
  {
    outcomes: [
      ["failed", 0],
      ["succeeded", 5],
    ],
    alerts: ["failed 0-5"],
  },
  {
    outcomes: [
      ["stalled", 0],
      ["failed", 5],
    ],
    alerts: ["failed 5-", "stalled 0-5"],
  },
  {
    outcomes: [
      ["stalled", 0],
      ["superseded", 5],
    ],
    alerts: ["stalled 0-5"],
  },
  {
    outcomes: [
      ["failed", 0],
      ["superseded", 5],
    ],
    alerts: ["failed 0-"],
  },
  {
    outcomes: [
      ["failed", 0],
      ["cancelled", 5],
    ],
    alerts: ["failed 0-5"],
  },
  {
    outcomes: [
      ["failed", 0],
      ["started", 5],
    ],
    alerts: ["failed 0-"],
  },
  {
    outcomes: [
      ["failed", 0],
      ["failed", 5],
    ],
    alerts: ["failed 0-"],
  },
  {
    outcomes: [
      ["failed", 0],
      ["succeeded", 5],
      ["failed", 9],
    ],
    alerts: ["failed 9-"],
  },
  {
    outcomes: [
      ["succeeded", 5],
      ["failed", 0],
    ],
    alerts: [],
  },
  {
    outcomes: [
      ["failed", 5],
      ["stalled", 0],
    ],
    alerts: ["failed 5-"],
  },
  {
    outcomes: [
      ["failed", 5],
      ["succeeded", 0],
    ],
    alerts: ["failed 5-"],
  },
  {
    outcomes: [
      ["failed", 5],
      ["failed", 0],
      ["succeeded", 3],
    ],
    alerts: ["failed 5-"],
  },
] satisfies { outcomes: OutcomeAt[]; alerts: string[] }[])(
  "$outcomes: $alerts",
  ({ outcomes, alerts }) => {
    expect(shown(outcomes)).toEqual(alerts);
  },
);

test("the end of what was only planned does not resolve the alert of a rollout that stalls", () => {
  const workload = { kind: "Deployment", namespace: "shop", name: "web", uid: "u" };
  const parts = { id: "planned-end", cluster: "prod", service: "r", time: TIME + 5 * MINUTE };
  const event = rolloutEvent(parts, "superseded", { workload, reason: "NewerContent" });
  const before = after([["stalled", 0]]);
  const text = { summary: "superseded", description: "why" };
  expect(foldAlert(before, event, { receiver: "am", text, now: TIME })).toBe(before);
});

test("in any order and with any repetitions, the newest event decides", () => {
  const outcome = fc.constantFrom<RolloutOutcome>("failed", "succeeded", "cancelled");
  const tolds = fc.uniqueArray(fc.tuple(outcome, fc.nat({ max: 100 })), {
    minLength: 1,
    selector: ([, minute]) => minute,
  });
  fc.assert(
    fc.property(
      tolds.chain((all) =>
        fc.tuple(
          fc.constant(all),
          fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2 }),
        ),
      ),
      ([all, heard]) => {
        const [newest] = all.toSorted(([, a], [, b]) => b - a);
        const { failed } = after(heard);
        const firing = failed.startsAt !== undefined && failed.endsAt === undefined;
        expect(firing).toBe(newest?.[0] === "failed");
      },
    ),
  );
});

test("an alert has the format of Alertmanager", () => {
  expect(alertsOf(after([["failed", 0]]), SETTINGS, TIME)).toEqual([
    {
      labels: {
        alertname: "RollcastRolloutFailed",
        severity: "critical",
        team: "shop",
        cluster: "prod",
        namespace: "shop",
        workload: "web",
        workload_type: "deployment",
      },
      annotations: { summary: "failed at 0", description: "why" },
      startsAt: "2026-11-23T03:00:00.000Z",
      endsAt: "2026-11-24T03:00:00.000Z",
      generatorURL: "https://rollcast.example.com/",
    },
  ]);
});

test("configured labels replace the severity but no label of the workload", () => {
  const labels = { severity: "page", namespace: "other", alertname: "x" };
  const [alert] = alertsOf(after([["stalled", 0]]), { ...SETTINGS, labels }, TIME);
  expect(alert?.labels).toMatchObject({
    severity: "page",
    namespace: "shop",
    alertname: "RollcastRolloutStalled",
  });
});

test.each([
  { name: "fires", outcomes: [["failed", 0]], minutes: 60, sent: 1, spent: false },
  {
    name: "has ended a moment ago",
    outcomes: [
      ["failed", 0],
      ["succeeded", 5],
    ],
    minutes: 15,
    sent: 1,
    spent: false,
  },
  {
    name: "ended long ago",
    outcomes: [
      ["failed", 0],
      ["succeeded", 5],
    ],
    minutes: 21,
    sent: 0,
    spent: false,
  },
  {
    name: "ended hours ago",
    outcomes: [
      ["failed", 0],
      ["succeeded", 5],
    ],
    minutes: 121,
    sent: 0,
    spent: true,
  },
  { name: "fires for too long", outcomes: [["failed", 0]], minutes: 25 * 60, sent: 0, spent: true },
] satisfies {
  name: string;
  outcomes: OutcomeAt[];
  minutes: number;
  sent: number;
  spent: boolean;
}[])("an alert that $name is sent $sent times", ({ outcomes, minutes, sent: count, spent }) => {
  const now = TIME + minutes * MINUTE;
  const record = after(outcomes);
  expect(alertsOf(record, SETTINGS, now)).toHaveLength(count);
  expect(isSpent(record, SETTINGS, now)).toBe(spent);
});

test("no sequence of events makes an alert that Alertmanager refuses", () => {
  const outcome = fc.constantFrom(...([...ALERT_OUTCOMES] as RolloutOutcome[]));
  const outcomes = fc.array(fc.tuple(outcome, fc.nat({ max: 3_000 })), { minLength: 1 });
  fc.assert(
    fc.property(outcomes, fc.nat({ max: 3_000 }), (all, minutes) => {
      const record = after(all);
      expect(AlertRecord.parse(record)).toEqual(record);
      for (const alert of alertsOf(record, SETTINGS, TIME + minutes * MINUTE)) {
        expect(Date.parse(alert.endsAt)).toBeGreaterThanOrEqual(Date.parse(alert.startsAt));
        for (const value of Object.values(alert.labels)) expect(value).not.toBe("");
      }
    }),
  );
});
