import { connectNats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import type { Kv } from "@rollcast/nats/kv";
import { createLogger } from "@rollcast/runtime/logger";
import { startHarness } from "@rollcast/testkit/harness/harness";
import { startNatsProxy } from "@rollcast/testkit/nats-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { z } from "zod";
import { client } from "./harness.ts";
import { createBucket } from "./model/ports/bucket.ts";
import { createGate, idle } from "./model/ports/gate.ts";

const Text = z.string();

/** What a bucket does to a watch and to whoever writes, in the real NATS or in the model's. */
type Nats = AsyncDisposable & {
  readonly kv: Kv<string>;
  readonly other: Kv<string>;
  /** NATS goes. */
  stop(): Promise<void>;
  /** NATS answers again, also to the process whose watch it is; the watch is not open yet. */
  answer(): Promise<void>;
  /** The watch may open again. */
  reopen(): Promise<void>;
  /** Lets happen what can. */
  run(until: () => boolean): Promise<void>;
};

const logger = createLogger("test", "silent");

async function realNats(): Promise<Nats> {
  await using opening = new AsyncDisposableStack();
  const { nats, connection } = opening.use(await startHarness({ nats: {}, client }));
  const proxy = opening.use(await startNatsProxy(nats.port));
  const own = opening.use(await connectNats({ url: proxy.url, name: "test", logger }));
  const isOpening = ({ subject }: { subject: string }) => subject.startsWith("$JS.API.CONSUMER.");
  let hold: ReturnType<typeof proxy.hold> | undefined;
  const isBack = () => own.fault() === undefined && connection.fault() === undefined;
  const isGone = () => own.fault() !== undefined && connection.fault() !== undefined;
  const kept = opening.move();
  return {
    kv: await openKv(own, "workloads", Text),
    other: await openKv(connection, "workloads", Text),
    async stop() {
      await nats.kill();
      await waitFor(isGone);
    },
    async answer() {
      hold = proxy.hold(isOpening);
      await nats.restart();
      await waitFor(isBack);
      await hold.reached;
    },
    reopen: async () => hold?.release(),
    run: async (until) => void (await waitFor(until)),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function modelledNats(): Promise<Nats> {
  const outage = { isOn: false, areWatchesClosed: false };
  const bucket = createBucket({ name: "workloads", outage });
  const kinds = { read: "read record", write: "write record" } as const;
  const gates = [createGate({}), createGate({})];
  const [kv, other] = gates.map((gate) => bucket.view(gate, Text, kinds));
  if (kv === undefined || other === undefined) throw new Error("no view");
  return {
    kv,
    other,
    // As the world of the model does it.
    async stop() {
      outage.isOn = true;
      outage.areWatchesClosed = true;
      bucket.gap();
    },
    async answer() {
      outage.isOn = false;
    },
    async reopen() {
      outage.areWatchesClosed = false;
      bucket.gap();
    },
    async run(until) {
      await idle();
      while (bucket.deliver());
      expect(until()).toBe(true);
    },
    async [Symbol.asyncDispose]() {
      for (const gate of gates) gate.abandon();
    },
  };
}

/** What a watch reports of a bucket through an outage; of each gap only its begin and its end. */
async function reportOf(open: () => Promise<Nats>): Promise<readonly string[]> {
  await using nats = await open();
  const { kv, other } = nats;
  const report: string[] = [];
  const note = (line: string) => void report.push(line);
  const isInGap = () => report.lastIndexOf("start") > report.lastIndexOf("synced");
  const stop = new AbortController();
  const kept = (await other.create("test.kept", "1")) ?? 0;
  const gone = (await other.create("test.gone", "1")) ?? 0;
  kv.listAndWatch({
    filter: "test.>",
    signal: stop.signal,
    onStart: () => isInGap() || note("start"),
    onEntry: (key, value) => note(`${key} ${value ?? "removed"}`),
    onSynced: () => note("synced"),
  });
  await nats.run(() => report.includes("synced"));
  await other.update("test.kept", "2", kept);
  await nats.run(() => report.at(-1) === "test.kept 2");

  await nats.stop();
  note(`at the loss: ${report.at(-1)}`);
  await nats.answer();
  await other.create("test.new", "1");
  await other.remove("test.gone", gone);
  note(`a read before the watch: ${(await kv.get("test.new"))?.value}`);
  await nats.reopen();
  await nats.run(() => report.at(-1) === "synced");
  await other.create("test.last", "1");
  await nats.run(() => report.at(-1) === "test.last 1");
  stop.abort();
  return report;
}

test("a watch in the model's NATS reports an outage as one in the real NATS does", async () => {
  const [real, modelled] = await Promise.all([reportOf(realNats), reportOf(modelledNats)]);

  expect(modelled).toEqual(real);
  expect(real).toEqual([
    "start",
    "test.kept 1",
    "test.gone 1",
    "synced",
    "test.kept 2",
    "start",
    "at the loss: start",
    "a read before the watch: 1",
    "test.kept 2",
    "test.new 1",
    "test.gone removed",
    "synced",
    "test.last 1",
  ]);
});
