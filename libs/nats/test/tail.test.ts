import { startNats } from "@rollcast/testkit/nats";
import { waitFor } from "@rollcast/testkit/wait";
import { describe, expect, test } from "vitest";
import { connectNats } from "../src/connect.ts";
import type { Nats } from "../src/connect.ts";
import { natsErrorKind } from "../src/nats-error.ts";
import { provision } from "../src/provision.ts";
import { tailEvents } from "../src/tail.ts";
import type { TailOptions } from "../src/tail.ts";
import { changeOf, silent, startBus } from "./setup.ts";

const ALL = "rollcast.v1.*.>";
const AT_ONCE = 100;

async function publish(nats: Nats, name: string): Promise<void> {
  const { subject, event } = changeOf(name);
  await nats.js.publish(subject, JSON.stringify(event));
}

async function publishAll(nats: Nats, names: readonly string[]): Promise<void> {
  for (let i = 0; i < names.length; i += AT_ONCE) {
    await Promise.all(names.slice(i, i + AT_ONCE).map((name) => publish(nats, name)));
  }
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

/** A tail that runs until disposal; `names` are those of the events, as they come. */
function startTail(nats: Nats, options: Partial<TailOptions> = {}) {
  const names: string[] = [];
  const stop = new AbortController();
  const run = async () => {
    const tail = { filter: ALL, since: 0, follow: true, signal: stop.signal, ...options };
    for await (const event of tailEvents(nats, tail)) {
      names.push(event.subject?.split("/").at(-1) ?? "");
    }
  };
  const done = run();
  done.catch(() => undefined);
  return {
    names,
    done,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done.catch(() => undefined);
    },
  };
}

/** Names in the order of the stream. */
async function read(nats: Nats, options: Partial<TailOptions> = {}): Promise<string[]> {
  await using tail = startTail(nats, { follow: false, ...options });
  await tail.done;
  return tail.names;
}

/** Names of all that the stream holds, one by one. */
async function stored(nats: Nats): Promise<string[]> {
  const { state } = await nats.jsm.streams.info("ROLLCAST");
  const names = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await nats.jsm.streams.getMessage("ROLLCAST", { seq });
    names.push(message?.subject.split(".").at(-1) ?? "");
  }
  return names;
}

async function waitName(names: readonly string[], name: string): Promise<void> {
  await waitFor(() => names.includes(name), { message: `${name} in ${names.join(" ")}` });
}

describe("history", () => {
  test("is read whole, in the order of the stream, and then the tail ends", async () => {
    await using bus = await startBus();
    expect(await read(bus.nats)).toEqual([]);
    await publishAll(bus.nats, numbered("n", 3_000));
    const names = await read(bus.nats);
    expect(names).toHaveLength(3_000);
    expect(names).toEqual(await stored(bus.nats));
  });

  test("is read by a filter that few of many events match", async () => {
    await using bus = await startBus();
    const names = numbered("n", 1_000).flatMap((name, i) => (i % 97 === 3 ? [name, "rare"] : name));
    for (const name of names) await publish(bus.nats, name);
    const filter = "rollcast.v1.*.source.changed.configmap.*.rare";
    expect(await read(bus.nats, { filter })).toEqual(names.filter((name) => name === "rare"));
    const none = "rollcast.v1.*.rollout.failed.>";
    expect(await read(bus.nats, { filter: none })).toEqual([]);
  });

  test("is read from a time on, or not at all", async () => {
    await using bus = await startBus();
    await publish(bus.nats, "before");
    const after = Date.now() + 1;
    await waitFor(() => Date.now() > after, { message: "a later time" });
    await publishAll(bus.nats, ["first", "second"]);
    const [first] = await read(bus.nats, { since: after });
    expect(first).toBe("first");
    expect(await read(bus.nats, { since: after })).toEqual(["first", "second"]);
    expect(await read(bus.nats, { since: Date.now() + 60_000 })).toEqual([]);
    expect(await read(bus.nats, { since: undefined })).toEqual([]);
  });

  test("may hold messages that are no event, which are skipped", async () => {
    await using bus = await startBus();
    await publish(bus.nats, "a");
    await bus.nats.js.publish("rollcast.v1.prod.source.changed.configmap.shop.x", "no JSON");
    await bus.nats.js.publish("rollcast.v1.prod.source.changed.configmap.shop.x", "{}");
    await publish(bus.nats, "b");
    expect(await read(bus.nats)).toEqual(["a", "b"]);
  });

  test("is not read far ahead of the reader", async () => {
    await using bus = await startBus();
    await publishAll(bus.nats, numbered("n", 1_000));
    const nats = await bus.connect();
    const before = nats.nc.stats().inMsgs;
    const signal = new AbortController().signal;
    for await (const event of tailEvents(nats, { filter: ALL, since: 0, follow: true, signal })) {
      if (event.subject?.endsWith("/n-50") === true) break;
    }
    expect(nats.nc.stats().inMsgs - before).toBeLessThan(300);
  });
});

describe("a tail that follows", () => {
  test("yields new events only, each once, also one that was published twice", async () => {
    await using bus = await startBus();
    await publish(bus.nats, "old");
    const nats = await bus.connect();
    await using tail = startTail(nats, { since: undefined });
    const marks: string[] = [];
    await waitFor(
      async () => {
        marks.push(`mark-${marks.length}`);
        await publish(bus.nats, marks.at(-1) ?? "");
        return tail.names.length > 0;
      },
      { message: "the tail to have begun", every: 50 },
    );
    const { subject, event } = changeOf("twice");
    for (const _ of [1, 2]) {
      await bus.nats.js.publish(subject, JSON.stringify(event), { msgID: event.id });
    }
    await publish(bus.nats, "last");
    await waitName(tail.names, "last");
    expect(tail.names).not.toContain("old");
    expect(tail.names.slice(-2)).toEqual(["twice", "last"]);
    expect(new Set(tail.names).size).toBe(tail.names.length);
  });

  test("yields every event, in order, while thousands are being published", async () => {
    await using bus = await startBus();
    const nats = await bus.connect();
    await using tail = startTail(nats);
    for (let i = 0; i < 3_000; i += AT_ONCE) {
      await publishAll(bus.nats, numbered(`n-${i}`, AT_ONCE));
    }
    await waitFor(() => tail.names.length >= 3_000, { message: "all events" });
    expect(tail.names).toEqual(await stored(bus.nats));
  });

  test("ends soon when it is stopped", async () => {
    await using bus = await startBus();
    const stop = new AbortController();
    await using tail = startTail(bus.nats, { signal: stop.signal });
    await publish(bus.nats, "a");
    await waitName(tail.names, "a");
    stop.abort();
    await tail.done;
    expect(tail.names).toEqual(["a"]);
  });

  test("goes on after its server was killed, with each event from then on once", async () => {
    await using bus = await startBus();
    const nats = await bus.connect();
    await publishAll(bus.nats, numbered("before", 200));
    await using tail = startTail(nats);
    await waitFor(() => tail.names.length === 200, { message: "the history" });
    await bus.server.kill();
    await waitFor(() => nats.fault() !== undefined, { message: "the tail to be cut off" });
    await bus.server.restart();
    // The tail may not be back yet.
    const later = await bus.connect();
    await publish(later, "meanwhile");
    await waitFor(() => nats.fault() === undefined, { message: "the tail to be back" });
    await publishAll(later, numbered("after", 50));
    await waitFor(() => tail.names.length >= 251, { message: "what came after" });
    expect(tail.names).toEqual(await stored(later));
  });

  test("reads a stream that was made anew from its beginning", async () => {
    await using bus = await startBus();
    const nats = await bus.connect();
    await publishAll(bus.nats, numbered("lost", 20));
    await using tail = startTail(nats);
    await waitFor(() => tail.names.length === 20, { message: "the history" });
    await bus.server.restart({ empty: true });
    const later = await bus.connect();
    await provision(later, 1);
    await publish(later, "new");
    await waitName(tail.names, "new");
    expect(tail.names.slice(20)).toEqual(["new"]);
  });
});

/** A user of a server that has one more, who may do everything. */
async function startAs(permissions: string) {
  await using stack = new AsyncDisposableStack();
  const config = `authorization { users: [
    { user: all, password: x }
    { user: some, password: x, permissions { ${permissions} } }
  ] }`;
  const server = stack.use(await startNats({ config }));
  const as = async (user: string) => {
    const url = server.url.replace("//", `//${user}:x@`);
    return stack.use(await connectNats({ url, name: "some", logger: silent }));
  };
  const all = await as("all");
  await provision(all, 1);
  await publish(all, "a");
  const some = await as("some");
  const kept = stack.move();
  return { all, some, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

describe("a tail fails where its user may not", () => {
  test.each([
    ["ask for the stream's state", 'publish: ["$JS.API.STREAM.MSG.GET.ROLLCAST"]'],
    ["ask for messages", 'publish: ["$JS.API.STREAM.INFO.ROLLCAST"]'],
    ["read answers", 'subscribe: ["rollcast.v1.>"]'],
    ["hear of events", 'subscribe: ["_INBOX_some.>"]'],
  ])("%s", async (_what, permissions) => {
    await using server = await startAs(permissions);
    await using tail = startTail(server.some);
    const err = await tail.done.catch((thrown: unknown) => thrown);
    expect(natsErrorKind(err)).toBe("permission");
  });

  test("connect any more", async () => {
    const options = { config: "authorization { user: a, password: x }" };
    await using server = await startNats(options);
    const url = server.url.replace("//", "//a:x@");
    await using nats = await connectNats({ url, name: "some", logger: silent });
    await provision(nats, 1);
    await publish(nats, "a");
    await using tail = startTail(nats);
    await waitName(tail.names, "a");
    options.config = "authorization { user: a, password: y }";
    await server.restart();
    const err = await tail.done.catch((thrown: unknown) => thrown);
    expect(natsErrorKind(err)).toBe("credentials");
  });

  test("a missing stream is named so", async () => {
    await using server = await startNats();
    await using nats = await connectNats({ url: server.url, name: "some", logger: silent });
    const err = await startTail(nats).done.catch((thrown: unknown) => thrown);
    expect(natsErrorKind(err)).toBe("missing");
  });

  test("a missing JetStream is named so", async () => {
    await using server = await startNats({
      config: "accounts { A { users: [{ user: a, password: x }] } }",
    });
    const url = server.url.replace("//", "//a:x@");
    await using nats = await connectNats({ url, name: "some", logger: silent });
    const err = await startTail(nats).done.catch((thrown: unknown) => thrown);
    expect(natsErrorKind(err)).toBe("unanswered");
  });
});
