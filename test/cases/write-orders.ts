import { setTimeout as sleep } from "node:timers/promises";
import { EVENT_STREAM } from "@rollcast/nats/streams";
import type { AnyObject } from "@rollcast/testkit/test-api";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import { closeNode, setOpen } from "@rollcast/testkit/closed-nodes";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import type { Place } from "./place.ts";
import { nameOf } from "./writers.ts";
import type { Effect, Group } from "./writers.ts";

/** What a write came to for one Deployment. */
export type WriteOutcome = {
  /** The rollout events from the order's begin, each with its reason. */
  readonly events: readonly string[];
  /** How many pods were made; two are one restart. */
  readonly made: number;
  /** How many of the pods of before are left. */
  readonly left: number;
};

export type Snapshot = {
  readonly skip: number;
  readonly made: number;
  readonly pods: readonly string[];
  readonly running: string;
};

function each<T>(
  { tool, writer }: Group,
  work: (name: string, effect: Effect) => Promise<T>,
): Promise<T[]> {
  const entries = Object.entries(writer.workloads);
  return Promise.all(entries.map(([workload, effect]) => work(nameOf(tool, workload), effect)));
}

async function ready(group: Group): Promise<void> {
  const { api, namespace } = group.place;
  await each(group, (name) => waitRolledOut(api, namespace, name));
}

/** Makes the Deployments with their sources, and waits until Rollcast knows them. */
export async function install(group: Group, content?: string): Promise<void> {
  await open(group);
  if (content === undefined) await each(group, (name) => group.place.source(name));
  await group.writer.install(group, content);
  await ready(group);
  await each(group, (name) => group.place.adopted(name));
}

export async function change(group: Group): Promise<void> {
  await each(group, (name) => group.place.change(name));
}

/** Gives each Deployment its first marker. */
export async function roll(group: Group): Promise<void> {
  await change(group);
  await rolled(group);
}

async function rolled(group: Group): Promise<void> {
  await each(group, async (name) => {
    const end = await group.place.firstOf(name, ["succeeded"], { withinMs: 60_000 });
    if (end === undefined) throw new Error(`${name} was not rolled`);
  });
  await ready(group);
}

export async function snapshot(group: Group): Promise<ReadonlyMap<string, Snapshot>> {
  const { place, pods } = group;
  const made = await pods.made();
  const of = async (name: string) => {
    const [present, record] = await Promise.all([place.pods(name), place.record(name)]);
    const running = JSON.stringify(record?.running);
    const skip = place.events(name).length;
    return [name, { skip, made: made.get(name) ?? 0, pods: present, running }] as const;
  };
  return new Map(await each(group, of));
}

type Awaited = { readonly word: string; readonly count: number };

/** Waits for the events after those of before, by what the write does. */
export async function waitWords(
  group: Group,
  before: ReadonlyMap<string, Snapshot>,
  wanted: (effect: Effect) => Awaited,
): Promise<void> {
  const { place } = group;
  await each(group, async (name, effect) => {
    const { word, count } = wanted(effect);
    const isSeen = () => {
      const events = place.events(name).slice(before.get(name)?.skip);
      return events.filter((text) => text.split(" ")[0] === word).length >= count;
    };
    await waitFor(isSeen, { message: `${word} ${String(count)} of ${name}`, timeout: 60_000 });
  });
}

type Pod = AnyObject & { spec: { nodeName?: string } };

/** Waits until each Deployment of these has a pod that no node takes. */
export async function waitNewPods(
  group: Group,
  isMeant: (effect: Effect) => boolean,
): Promise<void> {
  const { api, namespace } = group.place;
  await each(group, async (name, effect) => {
    if (!isMeant(effect)) return;
    const path = `${paths.pod(namespace)}?labelSelector=app%3D${name}`;
    const isPending = async () => {
      const { items } = await api.get<{ items: Pod[] }>(path);
      return items.some(
        ({ metadata, spec }) =>
          metadata.deletionTimestamp === undefined && spec.nodeName === undefined,
      );
    };
    await waitFor(isPending, { message: `a new pod of ${name}`, timeout: 60_000 });
  });
}

/** Waits until so many pods more than before were made of each Deployment of these. */
export async function waitMade(
  group: Group,
  before: ReadonlyMap<string, Snapshot>,
  count: (effect: Effect) => number,
): Promise<void> {
  await waitFor(
    async () => {
      const made = await group.pods.made();
      const isMade = async (name: string, effect: Effect) =>
        (made.get(name) ?? 0) >= (before.get(name)?.made ?? 0) + count(effect);
      return (await each(group, isMade)).every(Boolean);
    },
    { message: `the pods of ${group.tool}`, timeout: 60_000, every: 300 },
  );
}

/** Waits until Rollcast has seen what others have written. */
export async function waitSeen(group: Group): Promise<void> {
  const { place } = group;
  await each(group, async (name, effect) => {
    if (effect === "keeps") return;
    const isSeen = async () =>
      (await place.record(name))?.generation === (await place.generation(name));
    await waitFor(isSeen, { message: `${name} to be seen`, timeout: 60_000 });
  });
}

type Rest = {
  /** Whether the content changed too. */
  readonly isChanged?: boolean;
  /** `failed`: it was told so, and is tried again only later. */
  readonly end?: "current" | "failed";
};

/**
 * Waits until nothing is left to do: the record is of the newest generation and, where the source
 * was changed, of other content than before.
 */
async function waitReconciled(
  group: Group,
  before: ReadonlyMap<string, Snapshot>,
  { isChanged = true, end = "current" }: Rest,
) {
  const { place } = group;
  await ready(group);
  await each(group, async (name, effect) => {
    const isReconciled = async () => {
      const record = await place.record(name);
      if (record?.phase !== end || record.outbox.length > 0) return false;
      if (end === "failed") return true;
      const running = JSON.stringify(record.running);
      return (
        // A write that leaves the template may leave the record too.
        (effect === "keeps" || record.generation === (await place.generation(name))) &&
        !running.includes('"unknown"') &&
        (running !== before.get(name)?.running) === isChanged
      );
    };
    await waitFor(isReconciled, {
      message: `${name} to be reconciled`,
      timeout: 60_000,
      every: 200,
    });
  });
  await ready(group);
}

/** Waits until what is published by now is among the events. */
async function allSeen({ world: { nats, events } }: Place): Promise<void> {
  const { state } = await nats.jsm.streams.info(EVENT_STREAM);
  await waitFor(() => events.length >= state.messages, { message: "the last event" });
}

export async function outcomes(
  group: Group,
  before: ReadonlyMap<string, Snapshot>,
  rest: Rest = {},
): Promise<Readonly<Record<string, WriteOutcome>>> {
  const { place } = group;
  await waitReconciled(group, before, rest);
  await allSeen(place);
  const counts = await group.pods.made();
  const of = async (name: string) => {
    const { skip = 0, made = 0, pods = [] } = before.get(name) ?? {};
    const now = await place.pods(name);
    const outcome = {
      events: place.events(name).slice(skip),
      made: (counts.get(name) ?? 0) - made,
      left: pods.filter((uid) => now.includes(uid)).length,
    };
    return [name, outcome] as const;
  };
  return Object.fromEntries(await each(group, of));
}

/** Has no Deployment of the group get further than its first new pod. */
export const close = ({ place, tool }: Group) => closeNode(place.api, place.namespace, tool);
export const open = ({ place, tool }: Group) => setOpen(place.api, place.namespace, true, tool);

/**
 * Changes the sources, and has Rollcast's patches wait on their way until `work` is done: it has
 * read before, and writes after.
 */
export async function betweenReadAndPatch(
  group: Group,
  rules: Map<string, Rule>,
  work: () => Promise<unknown>,
): Promise<void> {
  const { place, tool } = group;
  const { proxy } = place.world;
  const gate = Promise.withResolvers<void>();
  const fault = { do: "hold", until: gate.promise } as const;
  rules.set(tool, { method: "PATCH", path: new RegExp(`deployments/${tool}-`), fault });
  place.faults([...rules.values()]);
  const since = Date.now();
  await change(group);
  await each(group, async (name) => {
    const path = paths.deployment(place.namespace, name);
    const isUnderway = () =>
      proxy.requests.some(
        (request) => request.at >= since && request.method === "PATCH" && request.path === path,
      );
    await waitFor(isUnderway, { message: `the patch of ${name}` });
  });
  // What is written in one second is not ordered by managedFields.
  await sleep(1_000 - (Date.now() % 1_000));
  await work();
  rules.delete(tool);
  place.faults([...rules.values()]);
  gate.resolve();
}

/** Has Rollcast see no ConfigMap of the place until `work` is done. */
async function unseen(place: Place, work: () => Promise<unknown>): Promise<void> {
  place.faults([{ path: /configmaps\?.*watch=/, fault: { do: "stall" } }]);
  await work();
  place.faults([]);
}

type Together = { readonly place: Place; readonly groups: readonly Group[] };

/**
 * Each tool writes ConfigMaps and Deployments with one command, and Rollcast sees the Deployments
 * before the ConfigMaps.
 */
export async function together({
  place,
  groups,
}: Together): Promise<Readonly<Record<string, WriteOutcome>>> {
  const all = <T>(work: (group: Group) => Promise<T>) => Promise.all(groups.map(work));
  await all((group) => install(group, "0"));
  // Else a first rollout could begin between the command's two writes.
  await unseen(place, () => all((group) => group.writer.write(group, 1, "1")));
  await all(rolled);
  const before = new Map((await all(snapshot)).flatMap((snapshots) => [...snapshots]));
  await unseen(place, async () => {
    await all((group) => group.writer.write(group, 2, "2"));
    await all(waitSeen);
  });
  return Object.assign({}, ...(await all((group) => outcomes(group, before)))) as Readonly<
    Record<string, WriteOutcome>
  >;
}
