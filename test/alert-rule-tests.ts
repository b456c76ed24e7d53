import { z } from "zod";
import type { Firing } from "./alerts.ts";

/** What `npm run bench -- alerts` has written. */
export const Recorded = z.object({
  scenario: z.string(),
  interval: z.number(),
  scrapes: z.number(),
  acts: z.array(z.object({ at: z.number(), id: z.string() })),
  series: z.record(z.string(), z.string()),
});
export type Recorded = z.infer<typeof Recorded>;

export type Rule = {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

/** `open`: both is right. */
export type Expected = "fires" | "silent" | "open";

/** Seconds between two looks. */
const LOOK_EVERY = 60;

/** When something was done, in seconds. Throws where it was not. */
export function timeOf({ acts, scenario }: Recorded, act: string): number {
  const existing = acts.find(({ id }) => id === act);
  if (existing === undefined) throw new Error(`nothing called ${act} was done in ${scenario}`);
  return existing.at;
}

/** What one firing has to say of a time, in seconds. */
export function expectedOf(recorded: Recorded, firing: Firing, at: number): Expected {
  const { within, until, over } = firing;
  const after = timeOf(recorded, firing.after);
  const end = typeof until === "string" ? timeOf(recorded, until) : after + until * 60;
  if (at <= after) return "silent";
  if (at < after + within * 60) return "open";
  if (at <= end) return "fires";
  if (over === undefined) return "open";
  return at < timeOf(recorded, over.after) + over.within * 60 ? "open" : "silent";
}

const STRONGEST: readonly Expected[] = ["fires", "open", "silent"];

/** What is expected of an alert at a time, for each set of labels that it may have. */
function expectedAt(recorded: Recorded, firings: readonly Firing[], at: number) {
  const byLabels = new Map<string, Expected>();
  for (const firing of firings) {
    const key = JSON.stringify(firing.labels ?? {});
    const [now, before = "silent"] = [expectedOf(recorded, firing, at), byLabels.get(key)];
    byLabels.set(key, STRONGEST.find((expected) => [now, before].includes(expected)) ?? now);
  }
  return byLabels;
}

/** Whether Prometheus was away then, and looked at no alert either. */
function isAway(acts: Recorded["acts"], at: number): boolean {
  const last = acts.findLast((act) => act.id.startsWith("prometheus-") && act.at <= at);
  return last !== undefined && (last.id === "prometheus-away" || at < last.at + LOOK_EVERY);
}

/** Seconds from the begin at which alerts are looked at. */
export function looksAt({ interval, scrapes, acts }: Recorded): number[] {
  const looks = Math.floor(((scrapes - 1) * interval) / LOOK_EVERY);
  const times = Array.from({ length: looks }, (_, i) => (i + 1) * LOOK_EVERY);
  return times.filter((at) => !isAway(acts, at));
}

/** Promtool's tests of all rules over one recording, and how many looks they are. */
export function ruleTests(recorded: Recorded, rules: readonly Rule[], all: readonly Firing[]) {
  const firings = all.filter(({ scenario }) => scenario === recorded.scenario);
  const tests = rules.flatMap((rule) => {
    const own = firings.filter(({ alert }) => alert === rule.alert);
    return looksAt(recorded).flatMap((at) => {
      const expected = [...expectedAt(recorded, own, at)];
      if (expected.some(([, status]) => status === "open")) return [];
      const exp_alerts = expected
        .filter(([, status]) => status === "fires")
        .map(([labels]) => ({
          exp_labels: {
            namespace: "rollcast",
            ...(JSON.parse(labels) as Record<string, string>),
            ...rule.labels,
          },
          exp_annotations: rule.annotations,
        }));
      return [{ eval_time: `${at}s`, alertname: rule.alert, exp_alerts }];
    });
  });
  const interval = `${recorded.interval}s`;
  return {
    evaluation_interval: interval,
    tests: [
      {
        interval,
        input_series: Object.entries(recorded.series).map(([series, values]) => ({
          series,
          values,
        })),
        alert_rule_test: tests,
      },
    ],
  };
}
