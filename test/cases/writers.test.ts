import process from "node:process";
import { expect, test } from "vitest";
import { countPods } from "@rollcast/testkit/count-pods";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import {
  betweenReadAndPatch,
  change,
  close,
  install,
  open,
  outcomes,
  roll,
  snapshot,
  together,
  waitNewPods,
  waitWords,
} from "./write-orders.ts";
import type { WriteOutcome } from "./write-orders.ts";
import { HELM, KUBECTL, KUBECTL_FILES, nameOf } from "./writers.ts";
import type { Effect, Group, Writer } from "./writers.ts";
import { useWorld } from "./world.ts";

const world = useWorld({
  places: ["rest", "first", "between", "midway", "editseen"],
  config: () => ({ queues: [{ name: "default", window: "100ms", concurrency: 50 }] }),
});

type Order = keyof typeof ORDERS;

/** Patches that are kept back between our read and its arrival. */
const held = new Map<string, Rule>();

const MADE = ["planned", "started", "succeeded Complete"];
/** The write brought the content, before Rollcast did. */
const BROUGHT = ["planned", "superseded TemplateChanged"];

/** Each order, and what it must come to by what the write does to the template. */
const ORDERS = {
  /** At rest a write that takes the marker off is an edit: one restart. */
  rest: {
    title: "at rest",
    async play(group: Group) {
      await install(group);
      await roll(group);
      const before = await snapshot(group);
      await group.writer.write(group, 2);
      return outcomes(group, before, { isChanged: false });
    },
    right: {
      keeps: { events: [], made: 0, left: 2 },
      strips: { events: [], made: 2, left: 0 },
      edits: { events: [], made: 2, left: 0 },
      "edits and strips": { events: [], made: 2, left: 0 },
    },
  },
  first: {
    title: "before the source changes, which is before its own restart is done",
    async play(group: Group) {
      await install(group);
      await roll(group);
      const before = await snapshot(group);
      await close(group);
      await group.writer.write(group, 2);
      await waitNewPods(group, (effect) => effect !== "keeps");
      await change(group);
      await waitWords(group, before, () => ({ word: "started", count: 1 }));
      await open(group);
      return outcomes(group, before);
    },
    right: {
      keeps: { events: MADE, made: 2, left: 0 },
      strips: { events: MADE, made: 3, left: 0 },
      edits: { events: MADE, made: 3, left: 0 },
      "edits and strips": { events: MADE, made: 3, left: 0 },
    },
  },
  between: {
    title: "after the source changed, between our read and our patch",
    async play(group: Group) {
      await install(group);
      await roll(group);
      const before = await snapshot(group);
      await betweenReadAndPatch(group, held, async () => group.writer.write(group, 2));
      return outcomes(group, before);
    },
    right: {
      keeps: { events: MADE, made: 2, left: 0 },
      strips: { events: BROUGHT, made: 2, left: 0 },
      edits: { events: BROUGHT, made: 2, left: 0 },
      "edits and strips": { events: BROUGHT, made: 2, left: 0 },
    },
  },
  midway: {
    title: "in the middle of our rollout",
    async play(group: Group) {
      await install(group);
      const before = await snapshot(group);
      await close(group);
      await change(group);
      await waitNewPods(group, () => true);
      await group.writer.write(group, 2);
      await waitWords(group, before, (effect) => {
        if (effect === "keeps") return { word: "started", count: 1 };
        return effect === "strips"
          ? { word: "started", count: 2 }
          : { word: "superseded", count: 1 };
      });
      await open(group);
      return outcomes(group, before);
    },
    right: {
      keeps: { events: MADE, made: 2, left: 0 },
      strips: {
        events: ["planned", "started", "superseded MarkerRemoved", "started", "succeeded Complete"],
        made: 3,
        left: 0,
      },
      edits: { events: ["planned", "started", "superseded TemplateChanged"], made: 3, left: 0 },
      "edits and strips": {
        events: ["planned", "started", "superseded TemplateChanged"],
        made: 3,
        left: 0,
      },
    },
  },
} satisfies Record<
  string,
  {
    title: string;
    play: (group: Group) => Promise<Readonly<Record<string, WriteOutcome>>>;
    right: Record<Effect, WriteOutcome>;
  }
>;

function rightOf(tool: string, { workloads }: Writer, right: Record<Effect, WriteOutcome>) {
  const entries = Object.entries(workloads).map(
    ([workload, effect]) => [nameOf(tool, workload), right[effect]] as const,
  );
  return Object.fromEntries(entries);
}

/** Without server-side apply Helm 4 writes as Helm 3 does: that is shown in two orders only. */
const LIKE_HELM_3 = new Set(["helm4client", "helm4force"]);
const IN_BOTH: ReadonlySet<Order> = new Set(["between", "midway"]);

const ROWS = (Object.keys(ORDERS) as Order[]).flatMap((order) =>
  Object.entries({ kubectl: KUBECTL, ...HELM })
    .filter(([tool]) => IN_BOTH.has(order) || !LIKE_HELM_3.has(tool))
    .map(([tool, writer]) => ({ order, title: ORDERS[order].title, tool, writer })),
);

/** What `npm test` plays: every order with every effect, every tool once. */
const SOME = new Set([
  "rest helm3",
  "first helm3force",
  "first helm4",
  "between helm3",
  "midway kubectl",
]);
const isEvery = process.env.ROLLCAST_WRITERS === "every";
const PLAYED = ROWS.filter(({ order, tool }) => isEvery || SOME.has(`${order} ${tool}`));

test.concurrent.each(PLAYED)("$tool writes $title", async ({ order, tool, writer }) => {
  const { play, right } = ORDERS[order];
  const place = world(order);
  await using pods = await countPods(place.world.stack.cluster, place.namespace);
  expect(await play({ place, pods, tool, writer })).toEqual(rightOf(tool, writer, right));
});

/**
 * The clocks say that the source changed after the edit, and no version overrules them: one restart
 * more than needed, and none too few.
 */
const AGAIN = { events: MADE, made: 3, left: 0 };

/** Of two restarts four pods are made, or three where the second overtakes the first. */
function countedFrom3(outcomes: Readonly<Record<string, WriteOutcome>>) {
  const entries = Object.entries(outcomes).map(
    ([name, outcome]) => [name, { ...outcome, made: Math.min(outcome.made, AGAIN.made) }] as const,
  );
  return Object.fromEntries(entries);
}

/** A writer of which only what it edits counts. */
function editsOf(writer: Writer): Writer {
  const edited = Object.entries(writer.workloads).filter(([, effect]) => effect !== "keeps");
  return { ...writer, workloads: Object.fromEntries(edited) };
}

test.concurrent("every tool writes the source and the template with one command, of which Rollcast sees the template first", async () => {
  const place = world("editseen");
  await using pods = await countPods(place.world.stack.cluster, place.namespace);
  const groups = Object.entries({ kubectl: KUBECTL_FILES, ...HELM })
    .filter(([tool]) => !LIKE_HELM_3.has(tool))
    .map(([tool, writer]) => ({ place, pods, tool, writer: editsOf(writer) }));
  const all = { keeps: AGAIN, strips: AGAIN, edits: AGAIN, "edits and strips": AGAIN };
  const wanted = groups.map(({ tool, writer }) => rightOf(tool, writer, all));

  expect(countedFrom3(await together({ place, groups }))).toEqual(Object.assign({}, ...wanted));
});
