import { expect, test } from "vitest";
import { unknownViolations } from "./explore.ts";
import { violationsOf } from "./oracle/oracle.ts";
import type { Case } from "./run/shorten.ts";
import { run } from "./run/run.ts";

// Schedules that once counted as something new, and are not: the oracle said too much, or a
// finding was too narrow for what it is about.
const CASES: readonly (readonly [about: string, Case])[] = [
  [
    "pods lack two sources, each for its own reason",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 100, cluster: true },
        { do: "edit", edit: "edits the template" },
        { do: "edit", edit: "replaces it with the manifest" },
        { do: "change source", source: "late", value: 0 },
      ],
    ],
  ],
  [
    "a Job is suspended while it is made again",
    [
      { replicas: 1, attempts: 1, maxRolling: 1, kind: "Job" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, until: "write quota", cluster: true },
        { do: "edit", edit: "pauses it" },
      ],
    ],
  ],
  [
    "a source is made between the decision to make a Job again and that, and the Job is suspended",
    [
      { replicas: 1, attempts: 1, maxRolling: 1, kind: "Job" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, until: "write quota", cluster: true },
        { do: "change source", source: "late", value: 0 },
        { do: "edit", edit: "pauses it" },
      ],
    ],
  ],
  [
    "a workload that is made again waits like the one before",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "edit", edit: "deletes it and makes it again" },
        { do: "pause queue", on: true },
        { do: "change source", source: "cfg", value: 1 },
        { do: "change source", source: "late", value: 0 },
      ],
    ],
  ],
  [
    "of two pods that wait for their owner one is not named",
    [
      { replicas: 1, attempts: 1, workloads: 2, kind: "StatefulSet", update: "OnDelete" },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 5000, cluster: true },
        { workload: "api", do: "scale", replicas: 2 },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, cluster: true },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "NATS is restored while a Job runs that its CronJob waits for",
    [
      { replicas: 1, attempts: 1, kind: "CronJob", update: "Replace" },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 5000, cluster: false },
        { do: "restore" },
      ],
    ],
  ],
  [
    "a rollout had failed before it was decided again after a restore",
    [
      { replicas: 1, attempts: 1, restarters: 2, workloads: 2, breaksWith: 2 },
      [
        { do: "change source", source: "cfg", value: 2 },
        { do: "hold watches", of: "workloads", on: true },
        { do: "pass", ms: 720000, until: "patch", cluster: true },
        { do: "restore" },
      ],
    ],
  ],
  [
    "a restore takes an end that was recorded and not published",
    [
      { replicas: 1, attempts: 1, workloads: 2 },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, cluster: false },
        { do: "change source", source: "cfg", value: 0 },
        { do: "pass", ms: 5000, until: "patch", cluster: true },
        { workload: "api", do: "scale", replicas: 0 },
        { do: "restore" },
      ],
    ],
  ],
  [
    "another replica drops a rollout whose patch is on its way",
    [
      { replicas: 1, attempts: 1, restarters: 2 },
      [
        { do: "pass", ms: 40000, cluster: true },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 1500, until: "write record", cluster: true },
        { do: "change source", source: "cfg", value: 0 },
        { do: "pass", ms: 100, until: "patch", cluster: true },
      ],
    ],
  ],
  [
    "a Job of a CronJob begins after it was dropped",
    [
      { replicas: 1, attempts: 1, kind: "CronJob" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, until: "patch", cluster: true },
        { do: "NATS outage", on: true },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "a restore forgets the run of a CronJob, and the content of before comes back",
    [
      { replicas: 1, attempts: 1, kind: "CronJob" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, cluster: true },
        { do: "restore" },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "a suspended Job skips two contents that change at once",
    [
      { replicas: 1, attempts: 1, kind: "Job" },
      [
        { do: "edit", edit: "pauses it" },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 100, until: "write record", cluster: true },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "a start is recorded after the time limit, by a replica that stood still",
    [
      { replicas: 1, attempts: 1, restarters: 2 },
      [
        { do: "pass", ms: 40000, cluster: true },
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 40000, until: "write record", cluster: true },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 720000, until: "add job", cluster: false },
      ],
    ],
  ],
  [
    "a workload is applied just after a change, and neither is recorded",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "edit", edit: "deletes it and makes it again" },
        { do: "NATS outage", on: true },
        { do: "pass", ms: 5000, cluster: true },
        { do: "change source", source: "cfg", value: 1 },
        { do: "edit", edit: "applies the manifest" },
      ],
    ],
  ],
  [
    "a workload waits for another of its change, of which no more than one may still fail",
    [
      { replicas: 1, attempts: 1, maxRolling: 2, workloads: 3, haltAfter: 2 },
      [
        { do: "edit", edit: "pauses it" },
        { do: "change source", source: "cfg", value: 1 },
        { workload: "api", do: "policy", policy: "refuses our writes" },
        { do: "pod quota", pods: 2 },
      ],
    ],
  ],
  [
    "a restore takes the record of an edit, and a change came in its second",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "change source", source: "late", value: 1 },
        { do: "edit", edit: "edits the template" },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "late", value: 0 },
        { do: "restore" },
      ],
    ],
  ],
  [
    "a rollout waits at a gate, and its pods would wait for their owner",
    [
      { replicas: 1, attempts: 3, kind: "StatefulSet", update: "Partition" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "lose answers", of: "patch", performed: false, times: 2 },
        { do: "pass", ms: 1500, cluster: true },
        { do: "pause queue", on: true },
      ],
    ],
  ],
  [
    "a restore takes the record of an edit, and a source is created after it",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "edit", edit: "edits the template" },
        { do: "pass", ms: 100, cluster: false },
        { do: "restore" },
        { do: "controllers", count: 2, seed: 0 },
        { do: "change source", source: "late", value: 0 },
      ],
    ],
  ],
  [
    "a Job's deletion was decided, and its change is halted before it",
    [
      { replicas: 1, attempts: 1, restarters: 2, workloads: 3, haltAfter: 1, kind: "Job" },
      [
        { do: "node", node: "node-1", alive: false },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 720000, until: "patch", cluster: false },
        { do: "kill", replica: 0 },
      ],
    ],
  ],
  [
    "a source is created when Argo's controller has just written the template in its own form",
    [
      { replicas: 1, attempts: 1, kind: "Rollout" },
      [
        { do: "edit", edit: "deletes it and makes it again" },
        { do: "pass", ms: 100, cluster: false },
        { do: "controllers", count: 11, seed: 0 },
        { do: "change source", source: "late", value: 0 },
      ],
    ],
  ],
  [
    "a record is removed for an opt-out that is taken back, and a change comes in its second",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "edit", edit: "opts out" },
        { do: "edit", edit: "opts in" },
        { do: "touch records" },
        { do: "change source", source: "cfg", value: 1 },
      ],
    ],
  ],
  [
    "a rollout that was applied without an answer is found by the next, and no watch has shown it",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "hold watches", of: "workloads", on: true },
        { do: "change source", source: "late", value: 0 },
        { do: "lose answers", of: "patch", performed: true, times: 1 },
        { do: "pass", ms: 720000, cluster: true },
      ],
    ],
  ],
  [
    "two contents are refused for one reason, and the first is published with the second",
    [
      { replicas: 1, attempts: 1, maxRolling: 1 },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 1500, until: "patch", cluster: true },
        { do: "policy", policy: "refuses our writes" },
        { do: "change source", source: "cfg", value: 2 },
        { do: "lose answers", of: "write quota", performed: false, times: 1 },
        { do: "pass", ms: 100, cluster: true },
      ],
    ],
  ],
  [
    "a pod is made anew while the success that names the old one waits for NATS",
    [
      { replicas: 1, attempts: 1, kind: "StatefulSet", update: "OnDelete" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, cluster: false },
        { do: "pass", ms: 100, until: "publish", cluster: true },
        { do: "NATS outage", on: true },
        { do: "pass", ms: 100, cluster: true },
        { do: "delete pod" },
      ],
    ],
  ],
  [
    "a restore takes the record of a patch that admission changed",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "policy", policy: "adds a label" },
        { do: "pass", ms: 5000, cluster: true },
        { do: "change source", source: "late", value: 1 },
        { do: "restore" },
      ],
    ],
  ],
  [
    "the Job of a CronJob is run, and its rollout decided again for other content before its start is recorded",
    [
      { replicas: 1, attempts: 1, restarters: 2, workloads: 2, kind: "CronJob" },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 720000, until: "patch", cluster: true },
        { do: "pass", ms: 100, until: "add job", cluster: true },
        { do: "NATS outage", on: true },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 100, cluster: true },
      ],
    ],
  ],
  [
    "content comes before the run of a CronJob that was decided, and goes after it",
    [
      { replicas: 1, attempts: 1, kind: "CronJob" },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 5000, until: "patch", cluster: true },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "content goes and comes again while its rollout is patched",
    [
      { replicas: 1, attempts: 1, maxRolling: 2 },
      [
        { do: "change source", source: "cfg", value: 2 },
        { do: "pass", ms: 5000, until: "write quota", cluster: true },
        { do: "change source", source: "cfg", value: 0 },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "cfg", value: 2 },
      ],
    ],
  ],
  [
    "a suspended Job is resumed, and ends with the pods of before",
    [
      { replicas: 1, attempts: 1, kind: "Job" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "edit", edit: "pauses it" },
        { do: "pass", ms: 100, cluster: true },
        { do: "edit", edit: "resumes it" },
      ],
    ],
  ],
  [
    "a restore takes the time of a change, and Argo restarts nothing",
    [
      { replicas: 1, attempts: 1, maxRolling: 1, workloads: 2, kind: "Rollout", update: "Restart" },
      [
        { do: "change source", source: "late", value: 1 },
        { do: "pass", ms: 5000, cluster: true },
        { do: "change source", source: "late", value: 0 },
        { do: "restore" },
      ],
    ],
  ],
  [
    "a restore takes a plan that was recorded, and is published after it",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 100, until: "publish", cluster: true },
        { do: "restore" },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "content comes back while its watch is late, and an edit between is recorded before",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "hold watches", of: "sources", on: true },
        { do: "change source", source: "cfg", value: 1 },
        { do: "edit", edit: "edits the template" },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "NATS is restored to before a rollout, whose marker is taken off before its pods are replaced",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, cluster: false },
        { do: "restore" },
        { do: "edit", edit: "removes the marker" },
      ],
    ],
  ],
  [
    "a Job is made again in an outage of NATS, while there is other content for a moment",
    [
      { replicas: 1, attempts: 1, kind: "Job" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, until: "patch", cluster: true },
        { do: "NATS outage", on: true },
        { do: "change source", source: "cfg", value: 0 },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "cfg", value: 1 },
      ],
    ],
  ],
  [
    "content goes and comes back in the moment of an edit, and is rolled, though it is no news",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "edit", edit: "makes its pods never ready" },
        { do: "change source", source: "cfg", value: 1 },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "a suspended Job is skipped, and again after a restore of NATS, whose stream has lost it",
    [
      { replicas: 1, attempts: 1, kind: "Job" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "edit", edit: "pauses it" },
        { do: "pass", ms: 100, cluster: true },
        { do: "restore" },
      ],
    ],
  ],
  [
    "a Job is run from a CronJob that is made again at that moment, and is removed with the old one",
    [
      { replicas: 1, attempts: 1, kind: "CronJob" },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 1500, until: "patch", cluster: true },
        { do: "edit", edit: "deletes it and makes it again" },
      ],
    ],
  ],
  [
    "Argo writes its own form of a template, and content goes and comes back before that is seen",
    [
      { replicas: 1, attempts: 1, kind: "Rollout" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "edit", edit: "deletes it and makes it again" },
        { do: "change source", source: "cfg", value: 0 },
        { do: "pass", ms: 5000, cluster: false },
        { do: "change source", source: "cfg", value: 1 },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "a restore takes a deferral and the pause of its queue before it is told",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "pause queue", on: true },
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 100, until: "publish", cluster: true },
        { do: "kill", replica: 0 },
        { do: "restore" },
      ],
    ],
  ],
  [
    "a restarter that waits for NATS lists a workload that was written in the second of a change",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "NATS outage", on: true },
        { do: "edit", edit: "deletes it and makes it again" },
        { do: "kill", replica: 1 },
        { do: "pass", ms: 5000, cluster: true },
        { do: "change source", source: "cfg", value: 1 },
        { do: "edit", edit: "edits a label" },
      ],
    ],
  ],
  [
    "content that came and went unseen during our own rollout, whose plan was recorded meanwhile",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "change source", source: "cfg", value: 2 },
        { do: "pass", ms: 100, until: "write record", cluster: true },
        { do: "hold watches", of: "sources", on: true },
        { do: "change source", source: "cfg", value: 0 },
        { do: "pass", ms: 5000, cluster: true },
        { do: "change source", source: "cfg", value: 2 },
      ],
    ],
  ],
  [
    "content that came and went unseen after a workload was made, before its first record",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "hold watches", of: "sources", on: true },
        { workload: "api", do: "edit", edit: "deletes it and makes it again" },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 100, until: "read record", cluster: true },
        { do: "change source", source: "cfg", value: 0 },
      ],
    ],
  ],
  [
    "a workload whose pods wait for their owner is edited after its marker was taken off",
    [
      { replicas: 1, attempts: 1, workloads: 2, kind: "DaemonSet", update: "OnDelete" },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 1500, cluster: false },
        { workload: "api", do: "edit", edit: "removes the marker" },
        { workload: "api", do: "edit", edit: "edits the template" },
      ],
    ],
  ],
  [
    "a rollout that waits for its owner begins again under its id, with another marker",
    [
      { replicas: 1, attempts: 1, kind: "StatefulSet", update: "OnDelete" },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 5000, until: "patch", cluster: true },
        { do: "pass", ms: 100, until: "write record", cluster: true },
        { do: "edit", edit: "removes the marker" },
        { do: "kill", replica: 1 },
      ],
    ],
  ],
  [
    "a source made and changed since a backup, of which a list tells the time of its change",
    [
      { replicas: 1, attempts: 1, restarters: 2, kind: "Rollout", update: "Restart" },
      [
        { do: "change source", source: "late", value: 0 },
        { do: "delete source", source: "cfg" },
        { do: "pass", ms: 5000, until: "patch", cluster: true },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "late", value: 1 },
        { do: "restore" },
      ],
    ],
  ],
  [
    "NATS is restored after a patch, before its start is recorded",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 100, cluster: true },
        { do: "pass", ms: 5000, until: "publish", cluster: true },
        { do: "restore" },
        { do: "kill", replica: 0 },
      ],
    ],
  ],
  [
    "a workload that is made again after its watch expired is listed in the second of a change",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "break watches", expired: true },
        { do: "edit", edit: "deletes it and makes it again" },
        { do: "controllers", count: 3, seed: 4 },
        { do: "change source", source: "cfg", value: 1 },
      ],
    ],
  ],
  [
    "a source made after a workload that is made again, before NATS is restored to its life before",
    [
      { replicas: 1, attempts: 1 },
      [
        { do: "edit", edit: "deletes it and makes it again" },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "late", value: 0 },
        { do: "pass", ms: 100, cluster: true },
        { do: "restore" },
      ],
    ],
  ],
  [
    "a Job that was made again for content that had failed is over when another replica finds it",
    [
      { replicas: 1, attempts: 1, kind: "Job" },
      [
        { do: "lose answers", of: "patch", performed: false, times: 1 },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 5000, cluster: true },
        { do: "pass", ms: 40000, until: "publish", cluster: true },
        { do: "kill", replica: 1 },
      ],
    ],
  ],
  [
    "content that a CronJob's run began with came and went while the run was being recorded",
    [
      { replicas: 1, attempts: 1, kind: "CronJob" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 100, cluster: true },
        { do: "pass", ms: 5000, until: "write record", cluster: true },
        { do: "change source", source: "cfg", value: 0 },
        { do: "pass", ms: 100, cluster: true },
        { do: "change source", source: "cfg", value: 1 },
      ],
    ],
  ],
  [
    "admission takes the marker off a Rollout in its controller's write, and the next try is refused",
    [
      { replicas: 1, attempts: 1, kind: "Rollout" },
      [
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 1500, cluster: false },
        { do: "policy", policy: "removes our annotation" },
        { do: "pass", ms: 100, cluster: true },
        { do: "policy", policy: "adds a label" },
      ],
    ],
  ],
  [
    "a rollout is decided at the very time that a freeze lasts until",
    [
      { replicas: 2, attempts: 1, minReadySeconds: 10 },
      [
        { do: "freeze", minutes: 5 },
        { do: "edit", edit: "edits the template" },
        { do: "pass", ms: 40000, cluster: false },
        { do: "change source", source: "cfg", value: 1 },
        { do: "pass", ms: 720000, cluster: true },
      ],
    ],
  ],
];

test.each(CASES)("nothing new: %s", async (_, schedule) => {
  const done = await run(...schedule);

  expect(unknownViolations(done, violationsOf(done.history))).toEqual([]);
});
