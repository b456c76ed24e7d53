import type { Nats } from "@rollcast/nats/connect";
import { readEvents } from "@rollcast/nats/history";
import { DEAD_LETTER_STREAM } from "@rollcast/nats/streams";
import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent } from "@rollcast/shared/events";
import type { PodCount } from "@rollcast/testkit/count-pods";
import { endedOnly, faultsOf, findEvents, wordsOf } from "@rollcast/testkit/harness/find-events";
import type { TestReceiver } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { expect } from "vitest";
import type { Fleet } from "./fleet.ts";

/** Waits until each has so many events of this outcome in the stream. */
export async function until(nats: Nats, outcome: string, names: readonly string[]): Promise<void> {
  await waitFor(
    async () => {
      const events = await readEvents(nats);
      return names.every((name) => wordsOf(events, name).includes(outcome));
    },
    { message: `${names.join(", ")} to be ${outcome}`, timeout: 120_000, every: 300 },
  );
}

/** Told of what waits: how often depends on who is first, and it ends nothing. */
const WAITS = new Set(["deferred", "stalled"]);

/** What the stream tells of the rollouts of each, without waits: `planned, started`. */
export async function storiesOf(nats: Nats, names: readonly string[]) {
  const events = await readEvents(nats);
  const words = (name: string) => wordsOf(events, name).filter((word) => !WAITS.has(word));
  return Object.fromEntries(names.map((name) => [name, words(name).join(", ")]));
}

/**
 * What became of each workload with how many pods, and what the stream tells of it and of its
 * ConfigMap.
 */
export async function outcomesOf(nats: Nats, fleet: Fleet, pods: PodCount) {
  const stories = await storiesOf(nats, fleet.names);
  const events = await readEvents(nats);
  const made = await pods.made();
  const entries = fleet.names.map(async (name) => {
    const { generation } = (await fleet.get(name)).metadata;
    const changes = findEvents(events, "changed", `${name}-cfg`).length;
    const story = stories[name];
    return [name, { generation, pods: made.get(name) ?? 0, changes, story }] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Checks that each event is there once, and each rollout has one start and one end. */
export function expectWhole(events: readonly RollcastEvent[]): void {
  expect(faultsOf(events)).toEqual([]);
  expect(endedOnly(events)).toEqual([]);
}

/** What a receiver took, which may be busy for a while. */
export type Inbox = {
  readonly ids: ReadonlySet<string>;
  /** While it is, it takes nothing, and asks to come back in a second. */
  setBusy(isBusy: boolean): void;
};

const BUSY = { status: 429, headers: { "retry-after": "1" } };

/** Has the receiver take batches of events. */
export function takeEvents(receiver: TestReceiver): Inbox {
  const ids = new Set<string>();
  let isBusy = false;
  receiver.answer(({ body }) => {
    if (isBusy) return BUSY;
    for (const { id } of JSON.parse(body) as RollcastEvent[]) ids.add(id);
    return {};
  });
  return { ids, setBusy: (next) => void (isBusy = next) };
}

/**
 * Waits until everything that is told of rollouts has been delivered, and checks that nothing else
 * was, and that there are no dead letters.
 */
export async function expectDelivered(nats: Nats, inbox: Inbox): Promise<void> {
  const events = await readEvents(nats);
  const rollouts = events.filter(({ type }) => eventOutcome(type).domain === "rollout");
  await waitFor(
    () => {
      expect(rollouts.filter(({ id }) => !inbox.ids.has(id))).toEqual([]);
      return true;
    },
    { message: "every event of a rollout to be delivered", timeout: 120_000, every: 500 },
  );
  const ids = new Set(events.map(({ id }) => id));
  expect([...inbox.ids].filter((id) => !ids.has(id))).toEqual([]);
  const { state } = await nats.jsm.streams.info(DEAD_LETTER_STREAM);
  expect(state.messages).toBe(0);
}
