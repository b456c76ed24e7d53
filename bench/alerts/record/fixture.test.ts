import { expect, test } from "vitest";
import { selectedBy, fixtureOf } from "./fixture.ts";
import type { Recording } from "./recorder.ts";

const RULES = `expr: sum(rollcast_rollouts_total{outcome="failed"}) > 0 and up{job=~".*rollcast.*"} == 1
expr: rollcast_watch_staleness_seconds > 300 and time() - process_start_time_seconds < 900`;

const RECORDING: Recording = {
  scenario: "quiet",
  commit: "abc",
  began: 1_000,
  load: "none",
  acts: [{ at: 60, id: "update", what: "every pod is replaced" }],
  series: {
    'up{job="rollcast-watcher"}': [1, 0, 1],
    'rollcast_rollouts_total{outcome="failed"}': [0, "stale"],
    'rollcast_rollouts_total{outcome="started"}': [1, 2, 3],
    'rollcast_rollouts_total_more{outcome="failed"}': [1],
    'rollcast_watch_staleness_seconds{resource="secrets"}': [14.9, 44.9, 15],
    'process_start_time_seconds{job="rollcast-watcher"}': [900.2, 900.2, 1_020.4],
  },
};

test("what the alerts ask for is kept, from the begin on, with ages in steps of 15 s", () => {
  const { series, scrapes, acts } = fixtureOf(RECORDING, "", selectedBy(RULES));

  expect(series).toEqual({
    'up{job="rollcast-watcher"}': "1 0 1",
    'rollcast_rollouts_total{outcome="failed"}': "0 stale",
    'rollcast_watch_staleness_seconds{resource="secrets"}': "0 30 15",
    'process_start_time_seconds{job="rollcast-watcher"}': "-100x1 20",
  });
  expect({ scrapes, acts }).toEqual({ scrapes: 3, acts: RECORDING.acts });
});
