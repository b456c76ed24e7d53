import { getEventListeners } from "node:events";
import process from "node:process";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { TerminalError } from "@rollcast/shared/errors";
import type { Nats } from "../src/connect.ts";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "../src/streams.ts";
import { publish, publishDeadLetter } from "../src/publish.ts";
import { changeOf, recordingLogger, startBus } from "./setup.ts";

const never = new AbortController().signal;

async function stored(nats: Nats, stream: string) {
  const { state } = await nats.jsm.streams.info(stream);
  return state.messages;
}

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (err: unknown) => err,
  );
}

test("an event is stored as CloudEvents says, under its subject", async () => {
  await using bus = await startBus();
  const { subject, event } = changeOf("web.v1");
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

  const { seq, duplicate } = await publish(bus.nats, subject, { ...event, traceparent }, never);

  const message = await bus.nats.jsm.streams.getMessage(EVENT_STREAM, { seq });
  expect(duplicate).toBe(false);
  expect(message?.subject).toBe("rollcast.v1.prod.source.changed.configmap.shop.web_v1");
  expect(message?.json()).toEqual({ ...event, traceparent });
  expect(message?.header.get("Content-Type")).toBe("application/cloudevents+json");
  expect(message?.header.get("traceparent")).toBe(traceparent);
  expect(message?.header.get("Nats-Msg-Id")).toBe("id-web.v1");
});

test("one id is stored once, whoever publishes it again", async () => {
  await using bus = await startBus();
  const other = await bus.connect();
  const { subject, event } = changeOf("web");

  const results = await Promise.all([
    publish(bus.nats, subject, event, never),
    publish(other, subject, event, never),
    publish(bus.nats, subject, event, never),
  ]);

  expect(new Set(results.map(({ seq }) => seq))).toEqual(new Set([1]));
  expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
  expect(await stored(bus.nats, EVENT_STREAM)).toBe(1);
});

test("200 events are all stored, none doubled, though the server is killed in the middle", async () => {
  await using bus = await startBus();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  const stop = new AbortController();
  const names = Array.from({ length: 200 }, (_, i) => `web-${i}`);
  const done: string[] = [];
  const publishOne = async (name: string) => {
    const { subject, event } = changeOf(name);
    const { seq } = await publish(bus.nats, subject, event, stop.signal);
    done.push(name);
    return seq;
  };

  const first = names.slice(0, 50).map(publishOne);
  await waitFor(() => done.length >= 10, { every: 1 });
  const killed = bus.server.kill();
  const rest = names.slice(50).map(publishOne);
  await killed;
  await bus.server.restart();
  const seqs = await Promise.all([...first, ...rest]);

  expect(new Set(seqs).size).toBe(200);
  expect(await stored(bus.nats, EVENT_STREAM)).toBe(200);
  const ids = new Set<string>();
  for (const seq of seqs) {
    const message = await bus.nats.jsm.streams.getMessage(EVENT_STREAM, { seq });
    ids.add(message?.json<{ id: string }>().id ?? "");
  }
  expect(ids).toEqual(new Set(names.map((name) => `id-${name}`)));
  expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

test("an event of 64 KiB is stored and a larger one never tried", async () => {
  await using bus = await startBus();
  const { subject, event } = changeOf("web");
  const sized = (bytes: number) => {
    const bare = JSON.stringify({ ...event, id: "sized", source: "" }).length;
    return { ...event, id: "sized", source: "ä".repeat(1) + "x".repeat(bytes - bare - 2) };
  };

  const err = await thrownBy(publish(bus.nats, subject, sized(65_537), never));

  expect(err).toBeInstanceOf(TerminalError);
  expect(err).toMatchObject({ reason: "TooLarge" });
  expect(await stored(bus.nats, EVENT_STREAM)).toBe(0);
  // The stream's limit counts the headers too.
  await publish(bus.nats, subject, sized(65_000), never);
  expect(await stored(bus.nats, EVENT_STREAM)).toBe(1);
});

test("an event that the stream refuses for its size is given up", async () => {
  await using bus = await startBus();
  const { jsm } = bus.nats;
  const { config } = await jsm.streams.info(EVENT_STREAM);
  await jsm.streams.update(EVENT_STREAM, { ...config, max_msg_size: 100 });
  const { subject, event } = changeOf("web");

  expect(await thrownBy(publish(bus.nats, subject, event, never))).toMatchObject({
    name: "TerminalError",
    reason: "Refused",
  });
});

test("an event between the stream's limit and ours is given up, not tried for ever", async () => {
  await using bus = await startBus();
  const { subject, event } = changeOf("web");
  const bare = JSON.stringify({ ...event, source: "" }).length;
  const large = { ...event, source: "x".repeat(65_536 - bare) };

  expect(await thrownBy(publish(bus.nats, subject, large, never))).toMatchObject({
    name: "TerminalError",
  });
});

test("a publish ends with the signal's reason, in an outage too", async () => {
  const { logger, lines } = recordingLogger();
  await using bus = await startBus({ logger });
  const { subject, event } = changeOf("web");
  const stop = new AbortController();
  await bus.server.kill();
  await waitFor(() => bus.nats.fault() !== undefined);

  const publishing = publish(bus.nats, subject, event, stop.signal);
  const aborted = thrownBy(publishing);
  stop.abort();

  expect(await aborted).toMatchObject({ name: "AbortError" });
  expect(await thrownBy(publish(bus.nats, subject, event, stop.signal))).toMatchObject({
    name: "AbortError",
  });
  expect(lines.some((line) => line.msg.startsWith("publish not acknowledged"))).toBe(false);
});

test("a publish that waits in an outage is stored soon after it", async () => {
  await using bus = await startBus();
  const { subject, event } = changeOf("web");
  await bus.server.kill();
  await waitFor(() => bus.nats.fault() !== undefined);

  const publishing = publish(bus.nats, subject, event, never);
  await bus.server.restart();

  await expect(publishing).resolves.toMatchObject({ seq: 1 });
});

const letter = {
  stage: "restarter-prod",
  reason: "Malformed",
  message: "it is not JSON",
  id: "ROLLCAST-7-restarter-prod",
  subject: "rollcast.v1.prod.source.changed.configmap.shop.web",
  body: new TextEncoder().encode("{broken"),
};

test("a dead letter keeps the original bytes and says why", async () => {
  await using bus = await startBus();

  const { seq } = await publishDeadLetter(bus.nats, letter, never);
  const again = await publishDeadLetter(bus.nats, letter, never);

  const message = await bus.nats.jsm.streams.getMessage(DEAD_LETTER_STREAM, { seq });
  expect(message?.subject).toBe("rollcast.dlq.v1.restarter-prod.malformed");
  expect(message?.string()).toBe("{broken");
  expect(message?.header.get("Rollcast-Stage")).toBe("restarter-prod");
  expect(message?.header.get("Rollcast-Reason")).toBe("Malformed");
  expect(message?.header.get("Rollcast-Message")).toBe("it is not JSON");
  expect(message?.header.get("Rollcast-Subject")).toBe(letter.subject);
  expect(again).toEqual({ seq, duplicate: true });
});

test.each([
  ["Forbidden", "forbidden"],
  ["too large!", "too-large"],
  ["a.b.>", "a-b"],
  ["*", "unknown"],
  ["", "unknown"],
  ["ä", "unknown"],
])("a reason %j does not keep a message from the dead letters", async (reason, word) => {
  await using bus = await startBus();

  const { seq } = await publishDeadLetter(bus.nats, { ...letter, reason }, never);

  const message = await bus.nats.jsm.streams.getMessage(DEAD_LETTER_STREAM, { seq });
  expect(message?.subject).toBe(`rollcast.dlq.v1.restarter-prod.${word}`);
});

test("a message in a header is one line, bounded, masked, and may hold any letter", async () => {
  await using bus = await startBus();
  const text = `größer\r\nNats-Msg-Id: x\u0000 https://u:pw@h/p?sig=1 ${"x".repeat(5_000)}`;

  const { seq } = await publishDeadLetter(bus.nats, { ...letter, message: text }, never);

  const message = await bus.nats.jsm.streams.getMessage(DEAD_LETTER_STREAM, { seq });
  const header = message?.header.get("Rollcast-Message") ?? "";
  expect(header.startsWith("größer Nats-Msg-Id: x https://***@h/*** xxx")).toBe(true);
  expect(header.length).toBe(1_024);
  expect(message?.header.get("Nats-Msg-Id")).toBe(letter.id);
});
