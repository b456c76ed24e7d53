import { startNatsProxy } from "@rollcast/testkit/nats-proxy";
import type { ProxiedMessage } from "@rollcast/testkit/nats-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { createLogger } from "@rollcast/runtime/logger";
import { SourceEvent } from "@rollcast/shared/events";
import { expect, test } from "vitest";
import { z } from "zod";
import { connectNats } from "../src/connect.ts";
import type { Nats } from "../src/connect.ts";
import { consume } from "../src/consume.ts";
import { openKvCache } from "../src/kv-cache.ts";
import type { CachedKv } from "../src/kv-cache.ts";
import { openKv } from "../src/kv.ts";
import { publish } from "../src/publish.ts";
import { tailEvents } from "../src/tail.ts";
import { changeOf, startBus } from "./setup.ts";

/** The server is killed before the first message that `matches` passes. */
type Moment = {
  readonly at: string;
  /** Made for each test: it may count. */
  readonly matches: () => (message: ProxiedMessage) => boolean;
  /** It comes while the watch is being opened; else when something is written after that. */
  readonly isOpening: boolean;
  /** Why the watch ended, where that says that it waited for nothing longer. */
  readonly end?: string;
};

/** The client asks the server for this. */
const request = (what: string) => () => (message: ProxiedMessage) =>
  message.from === "client" && message.subject.startsWith(what);

/** The `n`th value or event that the server delivers, and all after it. */
const delivery = (n: number) => () => {
  let count = 0;
  return ({ from, subject }: ProxiedMessage) =>
    from === "server" && /^(\$KV|rollcast)\./.test(subject) && ++count >= n;
};

/** What is done to the server and to the watch of a client that goes through a proxy. */
async function startOutage(undo: AsyncDisposableStack) {
  const bus = undo.use(await startBus());
  const proxy = undo.use(await startNatsProxy(bus.server.port));
  const ends: unknown[] = [];
  const logger = createLogger("test", "warn", {
    write(line: string) {
      const { msg, err } = JSON.parse(line) as { msg: string; err?: { message: string } };
      if (msg === "bucket watch ended") ends.push(err?.message);
    },
  });
  const client = undo.use(await connectNats({ url: proxy.url, name: "test", logger }));
  const stop = new AbortController();
  undo.defer(() => stop.abort());
  return {
    bus,
    client,
    signal: stop.signal,
    /** Why watches of buckets ended. */
    ends,
    /** From this moment on nothing passes any more. */
    cutAt(matches: (message: ProxiedMessage) => boolean) {
      let isReached = false;
      return proxy.hold((message) => (isReached ||= matches(message))).reached;
    },
    /**
     * Kills the server and starts it again. Does `meanwhile` when the client is connected again,
     * before the first message that `matches` passes.
     */
    async restart(matches: (message: ProxiedMessage) => boolean, meanwhile: () => Promise<void>) {
      await bus.server.kill();
      await waitFor(() => client.fault() !== undefined && bus.nats.fault() !== undefined);
      const hold = proxy.hold(matches);
      await bus.server.restart();
      await waitFor(() => bus.nats.fault() === undefined);
      await hold.reached;
      await meanwhile();
      hold.release();
    },
  };
}

const Count = z.object({ n: z.number() });
type Count = z.infer<typeof Count>;
const RECORDS = 60;

const KV_MOMENTS: readonly Moment[] = [
  {
    at: "before the list begins",
    matches: request("$JS.API.CONSUMER.CREATE."),
    isOpening: true,
    end: "the connection was lost",
  },
  { at: "before it is pulled", matches: request("$JS.API.CONSUMER.MSG.NEXT."), isOpening: true },
  { at: "in the middle of the list", matches: delivery(RECORDS / 2), isOpening: true },
  { at: "before the last value of the list", matches: delivery(RECORDS), isOpening: true },
  { at: "after the list", matches: delivery(1), isOpening: false },
];

test.concurrent.each(KV_MOMENTS)(
  "a cache whose server is killed $at has all that is there, by the time it says so",
  async ({ matches, isOpening, end }) => {
    await using undo = new AsyncDisposableStack();
    const { bus, client, signal, ends, cutAt, restart } = await startOutage(undo);
    const writer = await openKv(bus.nats, "sources", Count);
    const revisions = new Map<string, number>();
    const present = new Map<string, Count>();
    const create = async (key: string) => {
      revisions.set(key, (await writer.create(key, { n: 0 })) ?? 0);
      present.set(key, { n: 0 });
    };
    /** One that is there, one that is not yet, one that goes. */
    const writeAll = async (round: number) => {
      const [changed, removed] = [`prod.k${round}`, `prod.k${round + RECORDS / 2}`];
      await writer.update(changed, { n: round }, revisions.get(changed) ?? 0);
      present.set(changed, { n: round });
      await create(`prod.new${round}`);
      await writer.remove(removed, revisions.get(removed) ?? 0);
      present.delete(removed);
    };
    await Promise.all(Array.from({ length: RECORDS }, (_, i) => create(`prod.k${i}`)));
    const kv = await openKv(client, "sources", Count);
    const open = () => openKvCache({ kv, filter: "prod.>", signal });
    const held = ({ cache }: CachedKv<Count, Count>) =>
      new Map([...cache.list()].map(({ key, value }) => [key, value]));

    const before = isOpening ? undefined : await open();
    const reached = cutAt(matches());
    const opening = before ?? open();
    if (isOpening) await reached;
    await writeAll(1);
    await reached;
    await restart(request("$JS.API.CONSUMER.CREATE.KV_sources")(), async () => {
      expect(before?.cache.isSynced()).toBe(isOpening ? undefined : false);
      await writeAll(2);
    });
    const opened = await opening;
    await opened.cache.synced();

    expect(held(opened)).toEqual(present);
    if (end !== undefined) expect(ends).toEqual([end]);
    await writeAll(3);
    await waitFor(() => opened.cache.get("prod.new3") !== undefined);
    await waitFor(() => opened.cache.get(`prod.k${3 + RECORDS / 2}`) === undefined);
    expect(held(opened)).toEqual(present);
  },
);

async function publishEvent(nats: Nats, name: string): Promise<void> {
  const { subject, event } = changeOf(name);
  await publish(nats, subject, event, AbortSignal.timeout(60_000));
}

const EVENTS = 20;
const STORED = Array.from({ length: EVENTS }, (_, i) => `e${i}`);
const ALL = [...STORED, "unsent", "meanwhile", "later"];

const CONSUMER_MOMENTS: readonly Moment[] = [
  { at: "before it pulls", matches: request("$JS.API.CONSUMER.MSG.NEXT."), isOpening: true },
  { at: "while events are delivered", matches: delivery(EVENTS / 2), isOpening: true },
  { at: "before an event is acknowledged", matches: request("$JS.ACK."), isOpening: true },
  { at: "while it waits for events", matches: delivery(1), isOpening: false },
];

test.concurrent.each(CONSUMER_MOMENTS)(
  "a consumer whose server is killed $at gets every event",
  async ({ matches, isOpening }) => {
    await using undo = new AsyncDisposableStack();
    const { bus, client, cutAt, restart } = await startOutage(undo);
    const names = new Set<string>();
    for (const name of STORED) await publishEvent(bus.nats, name);
    const open = async () =>
      undo.use(
        await consume(client, {
          durable: "restarter-prod",
          filter: "rollcast.v1.prod.source.>",
          schema: SourceEvent,
          from: "all",
          handle: async (event) => void names.add(event.data.name),
        }),
      );

    if (!isOpening) {
      const consuming = await open();
      await waitFor(async () => (await consuming.pending()) === 0);
    }
    const reached = cutAt(matches());
    if (isOpening) {
      await open();
      await reached;
    }
    await publishEvent(bus.nats, "unsent");
    await reached;
    await restart(request("$JS.API.CONSUMER.")(), () => publishEvent(bus.nats, "meanwhile"));
    await publishEvent(bus.nats, "later");

    await waitFor(() => names.size === ALL.length, { message: "every event" });
    expect([...names].toSorted()).toEqual(ALL.toSorted());
  },
);

const TAIL_MOMENTS: readonly Moment[] = [
  { at: "before it reads", matches: request("$JS.API.STREAM.MSG.GET."), isOpening: true },
  {
    at: "while it reads",
    matches: () => {
      let count = 0;
      return (message) => request("$JS.API.STREAM.MSG.GET.")()(message) && ++count >= EVENTS / 2;
    },
    isOpening: true,
  },
  { at: "while it waits for events", matches: delivery(1), isOpening: false },
];

test.concurrent.each(TAIL_MOMENTS)(
  "a tail whose server is killed $at yields every event once, in order",
  async ({ matches, isOpening }) => {
    await using undo = new AsyncDisposableStack();
    const { bus, client, signal, cutAt, restart } = await startOutage(undo);
    for (const name of STORED) await publishEvent(bus.nats, name);
    const names: string[] = [];
    const read = async () => {
      const tail = { filter: "rollcast.v1.*.>", since: 0, follow: true, signal };
      for await (const { subject } of tailEvents(client, tail)) {
        names.push(subject?.split("/").at(-1) ?? "");
      }
    };
    // It is cut off in the middle of a request when the test ends.
    const open = () => void read().catch(() => undefined);
    if (!isOpening) {
      open();
      await waitFor(() => names.length === EVENTS);
    }
    const reached = cutAt(matches());
    if (isOpening) {
      open();
      await reached;
    }
    await publishEvent(bus.nats, "unsent");
    await reached;
    await restart(request("$JS.API.STREAM.")(), () => publishEvent(bus.nats, "meanwhile"));
    await publishEvent(bus.nats, "later");

    await waitFor(() => names.length >= ALL.length, { message: "every event" });
    expect(names).toEqual(ALL);
  },
);
