import { expect, test } from "vitest";
import { createRecorder } from "./recorder.ts";
import type { Target } from "./scrape.ts";

const LABELS = { job: "rollcast-watcher", pod: "a" };
const UP = 'up{job="rollcast-watcher",pod="a"}';

function answering(...lines: readonly string[]): Target {
  const text = ["# HELP rollcast_a A", "nodejs_b 1", 'rollcast_c_bucket{le="1"} 1', ...lines];
  return { labels: LABELS, read: async () => text.join("\n") };
}

const silent: Target = { labels: LABELS, read: () => Promise.reject(new Error("no answer")) };

test("a target without an answer is down, and what is gone is stale once; while Prometheus is away there is nothing", async () => {
  const { recording, tick, act } = createRecorder("quiet", { commit: "abc", load: "" }, () => 59.6);
  await tick([answering('rollcast_a{kind="Job"} 1', "rollcast_d 2")]);
  await tick([answering('rollcast_a{kind="Job"} 3')]);
  await tick([silent]);
  await tick(undefined);
  await tick([answering("rollcast_d 0.5")]);
  await tick([]);
  act("update", "every pod is replaced");

  expect(recording.series).toEqual({
    [UP]: [1, 1, 0, undefined, 1, "stale"],
    'rollcast_a{job="rollcast-watcher",kind="Job",pod="a"}': [1, 3, "stale"],
    'rollcast_d{job="rollcast-watcher",pod="a"}': [2, "stale", undefined, undefined, 0.5, "stale"],
  });
  expect(recording.acts).toEqual([{ at: 60, id: "update", what: "every pod is replaced" }]);
});
