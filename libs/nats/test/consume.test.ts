import { getEventListeners } from "node:events";
import { waitFor } from "@rollcast/testkit/wait";
import { describe, expect, test } from "vitest";
import { RetryLaterError, TerminalError } from "@rollcast/shared/errors";
import { SourceEvent } from "@rollcast/shared/events";
import type { Nats } from "../src/connect.ts";
import { liveness } from "@rollcast/runtime/health/liveness";
import { consume } from "../src/consume.ts";
import type { ConsumeOptions } from "../src/consume.ts";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "../src/streams.ts";
import { servingFault } from "../src/serving.ts";
import { publish } from "../src/publish.ts";
import { changeOf, recordingLogger, startBus } from "./setup.ts";

const never = new AbortController().signal;

type Handle = (name: string, signal: AbortSignal) => Promise<void>;

function start(nats: Nats, handle: Handle, options: Partial<ConsumeOptions<SourceEvent>> = {}) {
  return consume(nats, {
    durable: "restarter-prod",
    filter: "rollcast.v1.prod.source.>",
    schema: SourceEvent,
    handle: (event, signal) => handle(event.data.name, signal),
    ...options,
  });
}

async function publishAll(nats: Nats, names: readonly string[]) {
  await Promise.all(
    names.map((name) => {
      const { subject, event } = changeOf(name);
      return publish(nats, subject, event, never);
    }),
  );
}

const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

async function pendingOf(nats: Nats, durable = "restarter-prod") {
  const info = await nats.jsm.consumers.info(EVENT_STREAM, durable);
  return info.num_pending + info.num_ack_pending;
}

/** The newest dead letter that is one of ours and not an advisory. */
function deadLetter(nats: Nats) {
  return waitFor(async () => {
    const filter = { last_by_subj: "rollcast.dlq.v1.>" };
    return (await nats.jsm.streams.getMessage(DEAD_LETTER_STREAM, filter)) ?? undefined;
  });
}

/** A handler that does not end before it is told to. */
function holding() {
  const held: string[] = [];
  const handle: Handle = (name, signal) => {
    held.push(name);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  };
  return { held, handle };
}

describe.concurrent("consume", () => {
  test("an event is handled once and acknowledged", async () => {
    await using bus = await startBus();
    const handled: string[] = [];
    await using consuming = await start(bus.nats, async (name) => void handled.push(name));

    await publishAll(bus.nats, numbered("web", 50));
    await waitFor(async () => (await consuming.pending()) === 0 && handled.length >= 50);

    expect(handled.toSorted()).toEqual(numbered("web", 50).toSorted());
  });

  test("replicas share the work, each event is handled by one", async () => {
    await using bus = await startBus();
    const other = await bus.connect();
    const handled: [string, string][] = [];
    const slowly = (by: string) => async (name: string) => {
      handled.push([by, name]);
      await waitFor(() => handled.some(([handler]) => handler !== by));
    };
    await using _a = await start(bus.nats, slowly("a"), { concurrency: 2 });
    await using _b = await start(other, slowly("b"), { concurrency: 2 });

    await publishAll(bus.nats, numbered("web", 60));
    await waitFor(async () => handled.length >= 60 && (await pendingOf(bus.nats)) === 0);

    expect(new Set(handled.map(([by]) => by))).toEqual(new Set(["a", "b"]));
    expect(handled.map(([, name]) => name).toSorted()).toEqual(numbered("web", 60).toSorted());
  });

  test("no more are in flight than told", async () => {
    await using bus = await startBus();
    let inFlight = 0;
    let most = 0;
    let done = 0;
    const handle = async () => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await bus.nats.nc.flush();
      await bus.nats.nc.flush();
      inFlight -= 1;
      done += 1;
    };
    await using _consuming = await start(bus.nats, handle, { concurrency: 3 });

    await publishAll(bus.nats, numbered("web", 60));
    await waitFor(() => done === 60);

    expect(most).toBe(3);
  });

  test("a fresh consumer begins with what is new, or with all where it is told", async () => {
    await using bus = await startBus();
    await publishAll(bus.nats, ["old"]);
    const fresh: string[] = [];
    const all: string[] = [];
    await using _a = await start(bus.nats, async (name) => void fresh.push(name), { durable: "a" });
    await using _b = await start(bus.nats, async (name) => void all.push(name), {
      durable: "b",
      from: "all",
    });

    await publishAll(bus.nats, ["new"]);
    await waitFor(() => fresh.length === 1 && all.length === 2);

    expect(fresh).toEqual(["new"]);
    expect(all).toEqual(["old", "new"]);
  });

  test("replicas that start at once agree on one consumer, which begins where it was told", async () => {
    await using bus = await startBus();
    const other = await bus.connect();
    await publishAll(bus.nats, ["just-before"]);
    const handled: string[] = [];
    const handle = async (name: string) => void handled.push(name);
    const from = { lastMs: 60_000 };
    const started = await Promise.all([
      start(bus.nats, handle, { from }),
      start(other, handle, { from }),
    ]);
    await waitFor(() => handled.length === 1);
    for (const consuming of started) await consuming[Symbol.asyncDispose]();

    await publishAll(bus.nats, ["while-away"]);
    await using again = await start(bus.nats, handle, { from });
    await waitFor(async () => (await again.pending()) === 0 && handled.length > 1);

    expect(handled).toEqual(["just-before", "while-away"]);
  });

  test("what asks to come later comes later each time", async () => {
    await using bus = await startBus();
    const at: number[] = [];
    await using _consuming = await start(bus.nats, async () => {
      at.push(performance.now());
      if (at.length < 5) throw new RetryLaterError(200, "redis is away");
    });
    await publishAll(bus.nats, ["web"]);
    await waitFor(() => at.length === 5);

    const waits = at.slice(1).map((time, i) => time - (at[i] ?? 0));
    // The upper half of twice as much each time, and a millisecond for the two clocks.
    for (const [i, least] of [199, 199, 399, 799].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(least);
    }
  });

  test("a TerminalError puts the original into the dead letters with its reason, at once", async () => {
    await using bus = await startBus();
    const handled: string[] = [];
    const handle = async (name: string) => {
      handled.push(name);
      throw new TerminalError("Forbidden", "may not patch: https://u:p@h");
    };
    await using consuming = await start(bus.nats, handle);

    await publishAll(bus.nats, ["web"]);
    const letter = await deadLetter(bus.nats);
    await waitFor(async () => (await consuming.pending()) === 0);

    expect(handled).toEqual(["web"]);
    expect(letter.subject).toBe("rollcast.dlq.v1.restarter-prod.forbidden");
    expect(letter.header.get("Rollcast-Reason")).toBe("Forbidden");
    expect(letter.header.get("Rollcast-Message")).toBe("may not patch: https://***@h");
    expect(letter.header.get("Rollcast-Subject")).toBe(changeOf("web").subject);
    expect(letter.json()).toMatchObject({ id: "id-web", data: { name: "web" } });
  });

  test.each([
    ["{broken", "the message is not JSON"],
    [JSON.stringify({ hello: 1 }), "the event is not of its form"],
    ["", "the message is not JSON"],
  ])("%j is malformed: a dead letter, the handler never sees it", async (body, message) => {
    await using bus = await startBus();
    const handled: string[] = [];
    await using consuming = await start(bus.nats, async (name) => void handled.push(name));

    await bus.nats.js.publish(changeOf("web").subject, body);
    const letter = await deadLetter(bus.nats);
    await publishAll(bus.nats, ["next"]);
    await waitFor(async () => (await consuming.pending()) === 0 && handled.length > 0);

    expect(letter.subject).toBe("rollcast.dlq.v1.restarter-prod.malformed");
    expect(letter.string()).toBe(body);
    expect(letter.header.get("Rollcast-Message")).toContain(message);
    expect(handled).toEqual(["next"]);
  });

  test("a reason that is no subject token still ends in the dead letters", async () => {
    await using bus = await startBus();
    await using consuming = await start(bus.nats, async () => {
      throw new TerminalError("Not Allowed.>", "no");
    });

    await publishAll(bus.nats, ["web"]);

    expect((await deadLetter(bus.nats)).subject).toBe("rollcast.dlq.v1.restarter-prod.not-allowed");
    await waitFor(async () => (await consuming.pending()) === 0);
  });

  test("dead letters that are refused put the event back, and it is buried when they are not", async () => {
    const { logger, lines } = recordingLogger();
    await using bus = await startBus({ logger });
    const { jsm } = bus.nats;
    const { config } = await jsm.streams.info(DEAD_LETTER_STREAM);
    await jsm.streams.update(DEAD_LETTER_STREAM, { ...config, max_msg_size: 10 });
    await using consuming = await start(bus.nats, async () => {
      throw new TerminalError("Forbidden", "no");
    });

    await publishAll(bus.nats, ["web"]);
    await waitFor(() => lines.some((line) => line.msg === "event not handled"));
    await jsm.streams.update(DEAD_LETTER_STREAM, config);

    expect((await deadLetter(bus.nats)).json()).toMatchObject({ id: "id-web" });
    await waitFor(async () => (await consuming.pending()) === 0);
  });

  test("another error brings it again, each time later, until it is handled", async () => {
    const { logger, lines } = recordingLogger();
    await using bus = await startBus({ logger });
    let calls = 0;
    await using consuming = await start(bus.nats, async () => {
      calls += 1;
      if (calls < 4) throw new Error("not yet");
    });

    await publishAll(bus.nats, ["web"]);
    await waitFor(async () => (await consuming.pending()) === 0);

    expect(calls).toBe(4);
    const delays = lines
      .filter((line) => line.msg === "event not handled")
      .map((line) => Number(line.delayMs));
    expect(delays).toHaveLength(3);
    for (const [i, full] of [500, 1_000, 2_000].entries()) {
      expect(delays[i]).toBeGreaterThanOrEqual(full / 2);
      expect(delays[i]).toBeLessThanOrEqual(full);
    }
  });

  test("one event that fails does not hold the others up", async () => {
    await using bus = await startBus();
    const handled: string[] = [];
    await using _consuming = await start(
      bus.nats,
      async (name) => {
        if (name === "bad") throw new Error("always");
        handled.push(name);
      },
      { concurrency: 1 },
    );

    await publishAll(bus.nats, ["bad"]);
    await publishAll(bus.nats, numbered("web", 20));

    await waitFor(() => handled.length === 20);
    expect(new Set(handled).size).toBe(20);
  });

  test("it goes on after the server was killed: nothing is lost", async () => {
    await using bus = await startBus();
    const handled = new Set<string>();
    await using consuming = await start(bus.nats, async (name) => void handled.add(name));
    await publishAll(bus.nats, numbered("before", 20));
    await waitFor(async () => (await consuming.pending()) === 0);

    await bus.server.kill();
    const during = publishAll(bus.nats, numbered("during", 20));
    await bus.server.restart();
    await during;
    await publishAll(bus.nats, numbered("after", 20));

    await waitFor(async () => handled.size === 60 && (await consuming.pending()) === 0);
    expect(handled.size).toBe(60);
  });

  test("a consumer that somebody deleted is made again", async () => {
    await using bus = await startBus();
    const handled: string[] = [];
    await using consuming = await start(bus.nats, async (name) => void handled.push(name));
    await publishAll(bus.nats, ["one"]);
    await waitFor(async () => (await consuming.pending()) === 0);

    await bus.nats.jsm.consumers.delete(EVENT_STREAM, "restarter-prod");
    await waitFor(async () => {
      await bus.nats.jsm.consumers.info(EVENT_STREAM, "restarter-prod");
      return true;
    });
    await publishAll(bus.nats, ["two"]);

    await waitFor(() => handled.length === 2);
    expect(handled).toEqual(["one", "two"]);
  });

  test("a subscription that is ended again and again is opened later each time, until it lasts", async () => {
    const { logger, lines } = recordingLogger();
    await using bus = await startBus({ logger });
    const { jsm, nc } = bus.nats;
    let isDeleted = true;
    // Whoever deletes the consumer does so as soon as it is asked for events.
    nc.subscribe(`$JS.API.CONSUMER.MSG.NEXT.${EVENT_STREAM}.restarter-prod`, {
      callback() {
        if (isDeleted) void jsm.consumers.delete(EVENT_STREAM, "restarter-prod").catch(() => false);
      },
    });
    const attempts = () =>
      lines.flatMap(({ msg, attempt }) => (msg === "subscription ended" ? [attempt] : []));
    const handled: string[] = [];
    await using _consuming = await start(bus.nats, async (name) => void handled.push(name));
    await waitFor(() => attempts().length >= 4);
    isDeleted = false;
    const inARow = attempts().length;
    await waitFor(
      async () => (await jsm.consumers.info(EVENT_STREAM, "restarter-prod")).num_waiting > 0,
    );
    await publishAll(bus.nats, ["web"]);
    await waitFor(() => handled.length === 1);
    await jsm.consumers.delete(EVENT_STREAM, "restarter-prod");

    await waitFor(() => attempts().length > inARow);
    expect(attempts()).toEqual([...numbered("", inARow).map((_, i) => i + 1), 1]);
  });

  test("a durable that another version made is brought up to date and keeps its place", async () => {
    await using bus = await startBus();
    const { consumers } = bus.nats.jsm;
    const ns = 1_000_000_000;
    await consumers.add(EVENT_STREAM, {
      durable_name: "restarter-prod",
      ack_policy: "explicit",
      ack_wait: 120 * ns,
      max_deliver: 3,
      filter_subject: "rollcast.v1.prod.source.changed.>",
      deliver_policy: "all",
    });
    await publishAll(bus.nats, ["before"]);
    const handled: string[] = [];

    await using _consuming = await start(bus.nats, async (name) => void handled.push(name));

    await waitFor(() => handled.length === 1);
    expect((await consumers.info(EVENT_STREAM, "restarter-prod")).config).toMatchObject({
      ack_wait: 15 * ns,
      max_deliver: -1,
      filter_subject: "rollcast.v1.prod.source.>",
    });
  });

  test("an event that takes longer than the server waits stays in flight", async () => {
    await using bus = await startBus();
    let calls = 0;
    const go = Promise.withResolvers<void>();
    await using consuming = await start(bus.nats, async () => {
      calls += 1;
      await go.promise;
    });
    await publishAll(bus.nats, ["slow"]);
    await waitFor(() => calls === 1);
    const { consumers } = bus.nats.jsm;
    const delivered = async () =>
      (await consumers.info(EVENT_STREAM, "restarter-prod")).delivered.consumer_seq;
    const began = Date.now();

    await waitFor(() => Date.now() > began + 17_000, { timeout: 20_000 });

    expect(await delivered()).toBe(1);
    go.resolve();
    await waitFor(async () => (await consuming.pending()) === 0);
    expect(calls).toBe(1);
  });

  test("the server is heard of while nothing happens, and again after an outage", async () => {
    await using bus = await startBus();
    await using consuming = await start(bus.nats, async () => undefined);
    const began = consuming.lastHeard();

    await waitFor(() => consuming.lastHeard() >= began + 4_000, { timeout: 20_000 });
    const idle = consuming.lastHeard();
    await waitFor(() => consuming.lastHeard() > idle, { timeout: 20_000 });
    await bus.server.kill();
    await waitFor(() => bus.nats.fault() !== undefined);
    const before = consuming.lastHeard();
    await bus.server.restart();
    await waitFor(() => consuming.lastHeard() > before, { timeout: 20_000 });

    expect(bus.nats.fault()).toBeUndefined();
  });

  test("a handler that never returns is seen by its age, though the server is heard of; the others go on", async () => {
    await using bus = await startBus();
    const handled: string[] = [];
    const consuming = await start(bus.nats, async (name, signal) => {
      if (name === "a-0")
        await new Promise((_, reject) => signal.addEventListener("abort", reject));
      handled.push(name);
    });
    const check = liveness({
      stallTimeoutMs: 1_000,
      suppressedBy: () => servingFault(bus.nats),
      progress: () => [{ what: "one is in flight", ms: consuming.inFlightMs() }],
    });
    expect(await check()).toBeUndefined();

    await publishAll(bus.nats, numbered("a", 3));
    await waitFor(() => handled.length === 2);
    const heard = consuming.lastHeard();
    await waitFor(async () => (await check())?.startsWith("one is in flight for "));
    await waitFor(() => consuming.lastHeard() > heard, { timeout: 20_000 });
    expect(await check()).toMatch(/^one is in flight for \d+ s$/);
    await consuming[Symbol.asyncDispose]();
  });

  test("a disposal lets the event in flight be finished and acknowledged", async () => {
    await using bus = await startBus();
    const order: string[] = [];
    const go = Promise.withResolvers<void>();
    const consuming = await start(bus.nats, async () => {
      order.push("began");
      await go.promise;
      order.push("handled");
    });
    await publishAll(bus.nats, ["web"]);
    await waitFor(() => order.length === 1);

    const disposed = consuming[Symbol.asyncDispose]().then(() => order.push("disposed"));
    go.resolve();
    await disposed;

    expect(order).toEqual(["began", "handled", "disposed"]);
    expect(await pendingOf(bus.nats)).toBe(0);
  });

  test("a disposal hands back what it holds and what waits: another replica has it soon", async () => {
    await using bus = await startBus();
    const { held, handle } = holding();
    const consuming = await start(bus.nats, handle, { concurrency: 4 });
    await publishAll(bus.nats, numbered("web", 12));
    await waitFor(() => held.length === 4);
    const elsewhere = new Set<string>();
    const other = await bus.connect();
    await using _other = await start(other, async (name) => void elsewhere.add(name));
    // The server itself would deliver them again only in an hour.
    const hour = { ack_wait: 3_600 * 1_000_000_000 };
    await bus.nats.jsm.consumers.update(EVENT_STREAM, "restarter-prod", hour);

    await consuming[Symbol.asyncDispose]();

    await waitFor(() => elsewhere.size === 12);
    expect([...elsewhere].toSorted()).toEqual(numbered("web", 12).toSorted());
  });

  test("a disposal gives up a handler that does not notice", { timeout: 20_000 }, async () => {
    const { logger, lines } = recordingLogger();
    await using bus = await startBus({ logger });
    const began = Promise.withResolvers<void>();
    const consuming = await start(bus.nats, () => {
      began.resolve();
      return new Promise(() => undefined);
    });
    await publishAll(bus.nats, ["web"]);
    await began.promise;

    await consuming[Symbol.asyncDispose]();

    expect(lines).toContainEqual(
      expect.objectContaining({ msg: "events left to be delivered again", events: 1 }),
    );
  });

  test(
    "a disposal of an idle consumer, and one in an outage, is quick",
    { timeout: 8_000 },
    async () => {
      await using bus = await startBus();
      const idle = await start(bus.nats, async () => undefined, { durable: "a" });
      await idle[Symbol.asyncDispose]();
      const away = await start(bus.nats, async () => undefined, { durable: "b" });
      await bus.server.kill();
      await waitFor(() => bus.nats.fault() !== undefined);

      await away[Symbol.asyncDispose]();

      expect(bus.nats.fault()).toBe("not connected");
    },
  );

  test("handlers' listeners on the signal are theirs alone: none is left by us", async () => {
    await using bus = await startBus();
    const signals = new Set<AbortSignal>();
    let done = 0;
    await using _consuming = await start(bus.nats, async (_, signal) => {
      signals.add(signal);
      done += 1;
      if (done <= 5) throw new TerminalError("No", "no");
    });

    await publishAll(bus.nats, numbered("web", 20));
    await waitFor(() => done === 20);

    expect(signals.size).toBe(1);
    for (const signal of signals) {
      await waitFor(() => getEventListeners(signal, "abort").length === 0);
    }
  });
});
