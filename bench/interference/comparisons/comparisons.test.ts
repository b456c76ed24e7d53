import { expect, test } from "vitest";
import type { Evidence } from "../evidence/evidence.ts";
import { COMPARISONS } from "./comparisons.ts";
import {
  ROLLED,
  WORKLOAD,
  cause,
  change,
  event,
  marker,
  patch,
  pod,
  rejection,
  rolledUpTo,
  write,
} from "./sample-run.ts";

/** What disagrees, as `<comparison>: <what>`. */
function disagreementsOf(evidence: Evidence): string[] {
  return COMPARISONS.flatMap(({ name, compare }) =>
    compare(evidence).disagreements.map(({ what }) => `${name}: ${what}`),
  );
}

const GUARD = "the server rejected our request due to an error in our request";
const [PLANNED, STARTED, SUCCEEDED] = ROLLED.events as [
  Evidence["events"][number],
  Evidence["events"][number],
  Evidence["events"][number],
];
const superseded = (at: number, rollout: string, reason: string, message?: string) =>
  event("superseded", at, { rollout, reason, message });
const started = (at: number, rollout: string, generation: number, changedAt = 1_002) =>
  event("started", at, { rollout, generation, cause: cause(changedAt) });
const succeeded = (at: number, rollout: string) => event("succeeded", at, { rollout });
const withMore = (more: Partial<Evidence>): Evidence => ({ ...ROLLED, ...more });
const withEvents = (...events: Evidence["events"]) => withMore({ events });

/** Its marker is taken off in mid-rollout, and it is rolled again. */
const STRIPPED = rolledUpTo(
  [
    write(43, 2_060, { generation: 4 }),
    patch(45, 2_500, { generation: 5, content: "b", again: "4" }),
  ],
  [superseded(2_070, "r1", "MarkerRemoved"), started(2_510, "r2", 5), succeeded(2_900, "r2")],
  { pods: [...ROLLED.pods.map((each) => ({ ...each, deletedAt: 2_800 })), pod("c", [46, 2_600])] },
);

const again = (generation: number) => ({ generation, content: "b", again: `${generation - 1}` });

/** Its marker is taken off three times, and then its source changes once more. */
const GIVEN_UP = rolledUpTo(
  [
    write(43, 2_060, { generation: 4 }),
    patch(45, 2_500, again(5)),
    write(47, 2_560, { generation: 6 }),
    patch(49, 2_600, again(7)),
    write(51, 2_660, { generation: 8 }),
  ],
  [
    superseded(2_070, "r1", "MarkerRemoved"),
    started(2_510, "r2", 5),
    superseded(2_570, "r2", "MarkerRemoved"),
    started(2_610, "r3", 7),
    superseded(2_670, "r3", "MarkerRemoved"),
    event("deferred", 2_670, { reason: "MarkerStripped" }),
    event("planned", 5_010, { cause: cause(5_002) }),
  ],
  { changes: [...ROLLED.changes, change(60, 5_000, "c")] },
);

/** The API server refuses it. */
const REFUSED = withMore({
  writes: ROLLED.writes.slice(0, 2),
  rejections: [rejection(2_001, GUARD), rejection(2_100, "denied by a policy")],
  events: [PLANNED, event("failed", 2_110, { rollout: "r1", reason: "Invalid" })],
});

test("of a run without a disagreement everything is compared", () => {
  const results = COMPARISONS.map(({ name, compare }) => ({ name, ...compare(ROLLED) }));

  expect(results.flatMap(({ disagreements }) => disagreements)).toEqual([]);
  const empty = ["failed is true", "superseded is true", "waits are true"];
  expect(results.filter(({ compared }) => compared === 0).map(({ name }) => name)).toEqual(empty);
});

test.each<{ name: string; evidence: Evidence }>([
  { name: "a marker that is taken off in mid-rollout, and is rolled again", evidence: STRIPPED },
  { name: "a patch that a policy denied, after a lost race", evidence: REFUSED },
  {
    name: "content that came back, and is rolled again",
    evidence: withMore({
      changes: [...ROLLED.changes, change(50, 3_000, "a"), change(60, 5_000, "b")],
      writes: [
        ...ROLLED.writes,
        { ...patch(52, 4_000, { generation: 4, content: "a" }), replicas: 3 },
        { ...patch(62, 6_000, { generation: 5, content: "b" }), replicas: 3 },
      ],
      events: [
        ...ROLLED.events,
        started(4_010, "r2", 4, 3_002),
        superseded(5_900, "r2", "NewerContent"),
        started(6_010, "r3", 5, 5_002),
        succeeded(6_900, "r3"),
      ],
      pods: [
        ...ROLLED.pods.map((each) => ({ ...each, deletedAt: each.deletedAt ?? 6_500 })),
        pod("last", [63, 6_100]),
      ],
    }),
  },
  {
    name: "a template that somebody changes in mid-rollout",
    evidence: rolledUpTo(
      [write(43, 2_060, { generation: 4, marker: marker("b"), template: "other", by: "gitops" })],
      [superseded(2_070, "r1", "TemplateChanged", "last written by field manager gitops")],
    ),
  },
  {
    name: "a marker that is taken off at rest, which restarts every pod",
    evidence: withMore({
      writes: [...ROLLED.writes, write(50, 3_000, { generation: 4, replicas: 3 })],
      pods: [
        ...ROLLED.pods.map((each) => ({ ...each, deletedAt: each.deletedAt ?? 3_100 })),
        pod("last", [51, 3_050]),
      ],
    }),
  },
  {
    name: "a plan whose content goes back at once",
    evidence: withMore({
      changes: [...ROLLED.changes, change(50, 3_000, "c"), change(51, 3_100, "b")],
      events: [...ROLLED.events, event("planned", 3_010, { cause: cause(3_002) })],
    }),
  },
  {
    name: "a plan of a workload that waits because its marker is always taken off",
    evidence: GIVEN_UP,
  },
  {
    name: "a rollout that its controller gives up",
    evidence: rolledUpTo(
      [],
      [event("failed", 9_000, { rollout: "r1", reason: "ProgressDeadlineExceeded" })],
      { deadlines: [{ workload: WORKLOAD, at: 8_990 }] },
    ),
  },
])("$name agrees with its events", ({ evidence }) => {
  expect(disagreementsOf(evidence)).toEqual([]);
});

test("a pod of a StatefulSet that is scaled down does not count", () => {
  const text = JSON.stringify(ROLLED).replaceAll("Deployment", "StatefulSet");
  const evidence = JSON.parse(text) as Evidence;
  const events = evidence.events.map((each) => ({ ...each }));
  const surplus = (name: string) => [
    ...evidence.pods,
    { ...pod(name, [23, 110], 2_400), workload: "StatefulSet/web" },
  ];

  expect(disagreementsOf({ ...evidence, events, pods: surplus("web-3") })).toEqual([]);
  expect(disagreementsOf({ ...evidence, events, pods: surplus("web-2") })).toEqual([
    "succeeded is true: succeeded, and pod web-2 runs earlier content",
  ]);
});

/** Each has one thing that is not as it was published. */
const WRONG: readonly { what: string; evidence: Evidence }[] = [
  {
    what: "the audit log is whole: generation 5 after 1 and 1 scales",
    evidence: withMore({
      writes: ROLLED.writes.map((each) => (each.isRollcast ? { ...each, generation: 5 } : each)),
    }),
  },
  {
    what: "started is one patch: started, and nothing was patched",
    evidence: withMore({ writes: ROLLED.writes.slice(0, 2) }),
  },
  {
    what: "started is one patch: started at generation 4, its patch made 3",
    evidence: withEvents(PLANNED, started(2_010, "r1", 4), SUCCEEDED),
  },
  {
    what: "started is one patch: started before its patch was sent",
    evidence: withEvents(PLANNED, started(1_900, "r1", 3), SUCCEEDED),
  },
  {
    what: "started is one patch: the patch of generation 3 has 0 times started",
    evidence: withEvents(PLANNED),
  },
  {
    what: "started is one patch: the patch of generation 3 has 2 times started",
    evidence: withEvents(...ROLLED.events, started(2_020, "r2", 3), succeeded(2_310, "r2")),
  },
  {
    what: "cause is a change: ConfigMap/cfg did not change at 1970-01-01T00:00:40.000Z, as is said",
    evidence: withEvents(PLANNED, started(2_010, "r1", 3, 40_000), SUCCEEDED),
  },
  {
    what: "cause is a change: its cause is ConfigMap/cfg, which it does not use",
    evidence: withMore({ subjects: [{ workload: WORKLOAD, sources: ["Secret/other"] }] }),
  },
  {
    what: "cause is a change: started without a cause",
    evidence: withEvents(
      PLANNED,
      event("started", 2_010, { rollout: "r1", generation: 3 }),
      SUCCEEDED,
    ),
  },
  {
    what: "marker is the content: its marker has content of ConfigMap/cfg that it had not",
    evidence: withMore({ changes: [change(10, 0, "a"), change(30, 1_000, "c")] }),
  },
  {
    what: "each content once: the content of generation 3 is rolled again by 4",
    evidence: rolledUpTo(
      [patch(45, 2_500, { generation: 4, content: "b", again: "3" })],
      [succeeded(2_300, "r1"), started(2_510, "r2", 4), succeeded(2_900, "r2")],
      {
        pods: [
          ...ROLLED.pods.map((each) => ({ ...each, deletedAt: 2_600 })),
          pod("c", [46, 2_600]),
        ],
      },
    ),
  },
  {
    what: "each content once: the content of generation 3 is rolled again by 5",
    evidence: {
      ...STRIPPED,
      events: [PLANNED, STARTED, succeeded(2_050, "r1"), ...STRIPPED.events.slice(3)],
    },
  },
  {
    what: "each content once: the content that it was made with is rolled",
    evidence: withMore({ changes: [{ ...change(10, 0, "b") }] }),
  },
  {
    what: "one end: event succeeded-r1-2300 is in the stream twice",
    evidence: withEvents(...ROLLED.events, SUCCEEDED),
  },
  {
    what: "one end: rollout r1 has 0 ends",
    evidence: withEvents(PLANNED, STARTED),
  },
  {
    what: "one end: rollout r1 has 2 ends",
    evidence: withEvents(...ROLLED.events, superseded(2_400, "r1", "MarkerRemoved")),
  },
  {
    what: "one end: rollout r0 is succeeded, and it did not start",
    evidence: withEvents(...ROLLED.events, succeeded(2_400, "r0")),
  },
  {
    what: "one end: rollout r1 ended before it started",
    evidence: withEvents(PLANNED, STARTED, succeeded(2_009, "r1")),
  },
  {
    what: "succeeded is true: succeeded, and pod old-1 runs earlier content",
    evidence: withEvents(PLANNED, STARTED, succeeded(2_199, "r1")),
  },
  {
    what: "succeeded is true: succeeded, and no pod was made after its patch",
    evidence: withMore({ pods: ROLLED.pods.slice(0, 2) }),
  },
  {
    what: "failed is true: failed (Invalid), and nobody rejected it",
    evidence: { ...REFUSED, rejections: [] },
  },
  {
    what: "failed is true: failed (Invalid), and nobody rejected it",
    evidence: { ...REFUSED, rejections: [rejection(2_001, GUARD)] },
  },
  {
    what: "failed is true: failed (Invalid), and nobody rejected it",
    evidence: { ...REFUSED, rejections: [{ ...rejection(2_001, "no"), isRollcast: false }] },
  },
  {
    what: "failed is true: failed (Timeout), and its patch was accepted",
    evidence: rolledUpTo([], [event("failed", 2_300, { rollout: "r1", reason: "Timeout" })]),
  },
  {
    what: "failed is true: failed (ProgressDeadlineExceeded), and its controller has not shown that",
    evidence: rolledUpTo(
      [],
      [event("failed", 2_300, { rollout: "r1", reason: "ProgressDeadlineExceeded" })],
    ),
  },
  {
    what: "superseded is true: superseded (NewerContent), and there is none",
    evidence: rolledUpTo([], [superseded(2_300, "r1", "NewerContent")]),
  },
  {
    what: "superseded is true: superseded (MarkerRemoved), and nobody changed the marker",
    evidence: rolledUpTo([], [superseded(2_300, "r1", "MarkerRemoved")]),
  },
  {
    what: "superseded is true: superseded (MarkerRemoved), and nobody changed the marker",
    evidence: rolledUpTo(
      [write(43, 2_400, { generation: 4 })],
      [superseded(2_300, "r1", "MarkerRemoved")],
    ),
  },
  {
    what: "superseded is true: superseded by helm, who has not written the workload",
    evidence: rolledUpTo(
      [write(43, 2_060, { generation: 4 })],
      [superseded(2_300, "r1", "MarkerRemoved", "taken off, last written by field manager helm")],
    ),
  },
  {
    what: "superseded is true: superseded (TemplateChanged), and nobody changed the template",
    evidence: rolledUpTo([], [superseded(2_300, "r1", "TemplateChanged")]),
  },
  {
    what: "superseded is true: superseded (OtherInstallation), which nothing here causes",
    evidence: rolledUpTo([], [superseded(2_300, "r1", "OtherInstallation")]),
  },
  {
    what: "planned has an end: planned, and nothing came of it",
    evidence: withMore({
      changes: [...ROLLED.changes, change(50, 3_000, "c")],
      events: [...ROLLED.events, event("planned", 3_010, { cause: cause(3_002) })],
    }),
  },
  {
    what: "waits are true: stalled (Deadline), which nothing here causes",
    evidence: withEvents(...ROLLED.events, event("stalled", 2_400, { reason: "Deadline" })),
  },
  {
    what: "waits are true: deferred (QueuePaused), which nothing here causes",
    evidence: withEvents(...ROLLED.events, event("deferred", 2_400, { reason: "QueuePaused" })),
  },
  {
    what: "waits are true: deferred (MarkerStripped), and no three rollouts before it",
    evidence: withEvents(...ROLLED.events, event("deferred", 2_400, { reason: "MarkerStripped" })),
  },
  {
    what: "the last content runs: pod new-0 runs earlier content of ConfigMap/cfg",
    evidence: withMore({ changes: [...ROLLED.changes, change(50, 3_000, "c")] }),
  },
  {
    what: "the last content runs: no pod is left",
    evidence: withMore({ pods: ROLLED.pods.map((each) => ({ ...each, deletedAt: 2_500 })) }),
  },
];

test.each(WRONG)("a disagreement shows: $what", ({ what, evidence }) => {
  expect(disagreementsOf(evidence)).toContain(what);
});

test("each comparison is among those that are shown to disagree", () => {
  const shown = new Set(WRONG.map(({ what }) => what.split(":")[0]));

  expect(COMPARISONS.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
});
