import { countPods } from "@rollcast/testkit/count-pods";
import { expect, test } from "vitest";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import { POLICIES, WEB, enforce } from "./policies.ts";
import type { Policy } from "./policies.ts";
import {
  betweenReadAndPatch,
  change,
  close,
  install,
  open,
  outcomes,
  roll,
  snapshot,
  waitNewPods,
  waitWords,
} from "./write-orders.ts";
import type { Snapshot, WriteOutcome } from "./write-orders.ts";
import { annotator, nameOf } from "./writers.ts";
import type { Group } from "./writers.ts";
import { useWorld } from "./world.ts";

const world = useWorld({
  places: ["before", "between", "midway", "rest"],
  config: () => ({ queues: [{ name: "default", window: "100ms", concurrency: 50 }] }),
});

type Name = keyof typeof POLICIES;
type Before = ReadonlyMap<string, Snapshot>;
/** Puts the policy in force. */
type Enforce = () => Promise<void>;

/** Patches that are kept back between our read and its arrival. */
const held = new Map<string, Rule>();

const MADE = ["planned", "started", "succeeded Complete"];

/** When a policy comes into force, and what that comes to. */
const ORDERS = {
  before: {
    title: "before the source changes",
    async play(group: Group, put: Enforce): Promise<Before> {
      await install(group);
      await roll(group);
      const before = await snapshot(group);
      await put();
      await change(group);
      return before;
    },
    right: {
      labelling: { events: MADE, made: 2, left: 0 },
      refusing: { events: ["planned", "failed Invalid"], made: 0, left: 2 },
    },
  },
  between: {
    title: "between our read and our patch",
    async play(group: Group, put: Enforce): Promise<Before> {
      await install(group);
      await roll(group);
      const before = await snapshot(group);
      await betweenReadAndPatch(group, held, put);
      return before;
    },
    right: {
      labelling: { events: MADE, made: 2, left: 0 },
      refusing: { events: ["planned", "failed Invalid"], made: 0, left: 2 },
    },
  },
  midway: {
    title: "in the middle of our rollout, before somebody writes",
    async play(group: Group, put: Enforce): Promise<Before> {
      await install(group);
      const before = await snapshot(group);
      await close(group);
      await change(group);
      await waitNewPods(group, () => true);
      await waitWords(group, before, () => ({ word: "started", count: 1 }));
      await put();
      await group.writer.write(group, 2);
      await waitWords(group, before, (effect) => {
        return { word: effect === "keeps" ? "started" : "superseded", count: 1 };
      });
      await open(group);
      return before;
    },
    right: {
      stripping: {
        events: ["planned", "started", "superseded MarkerRemoved", "failed MarkerNotKept"],
        made: 1,
        left: 2,
      },
      labelling: { events: ["planned", "started", "superseded TemplateChanged"], made: 3, left: 0 },
      refusing: { events: MADE, made: 2, left: 0 },
    },
  },
  rest: {
    title: "at rest, before somebody writes",
    async play(group: Group, put: Enforce): Promise<Before> {
      await install(group);
      await roll(group);
      const before = await snapshot(group);
      await put();
      await group.writer.write(group, 2);
      return before;
    },
    right: {
      stripping: { events: [], made: 2, left: 0 },
      labelling: { events: [], made: 2, left: 0 },
      refusing: { events: [], made: 0, left: 2 },
    },
  },
} satisfies Record<
  string,
  {
    title: string;
    play: (group: Group, put: Enforce) => Promise<Before>;
    right: Partial<Record<Name, WriteOutcome>>;
  }
>;

const ROWS = (Object.keys(ORDERS) as (keyof typeof ORDERS)[]).flatMap((order) => {
  const { title, right } = ORDERS[order];
  return (Object.entries(right) as [Name, WriteOutcome][]).map(([name, wanted]) => ({
    order,
    title,
    name,
    wanted,
  }));
});

test.concurrent.each(ROWS)(
  "a $name policy comes into force $title",
  async ({ order, name, wanted }) => {
    const place = world(order);
    const policy: Policy = POLICIES[name];
    await using undo = new AsyncDisposableStack();
    const pods = undo.use(await countPods(place.world.stack.cluster, place.namespace));
    const writer = annotator(WEB, policy.effect);
    const group = { place, pods, tool: name, writer };
    const put = async () => void undo.use(await enforce(group, policy));
    const before = await ORDERS[order].play(group, put);
    const isFailed = wanted.events.some((text) => text.startsWith("failed"));
    const end = isFailed ? "failed" : "current";
    const isChanged = order !== "rest";

    expect(await outcomes(group, before, { end, isChanged })).toEqual({
      [nameOf(name, WEB)]: wanted,
    });
  },
);
