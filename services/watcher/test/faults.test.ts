import type { Rule } from "@rollcast/testkit/fault-proxy";
import { configMap, paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { churn, createObject, each } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { startWatcherHarness } from "./harness.ts";
import type { Started, WatcherHarness } from "./harness.ts";

const COUNT = 200;
let harness: WatcherHarness;
let watcher: Started;

beforeAll(async () => {
  harness = await startWatcherHarness({ faultProxy: true });
  await each(COUNT, (i) => createObject(harness.api, harness.namespace, i));
  watcher = await harness.startInProcess({
    // Longer than a busy machine is silent while objects change: without a fault no watch may be
    // restarted.
    times: { silenceMs: 3_000, pageLimit: 30, watchSeconds: [2, 4] },
  });
});
afterAll(() => harness[Symbol.asyncDispose]());

/** How often lists and watches were interrupted so far. */
async function failures(): Promise<number> {
  const text = await watcher.metrics.text();
  const counts = text.matchAll(/^rollcast_watch_failures_total\{[^}]*\} (\d+)/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

const watch = /watch=1/;
const page = /limit=30/;
const next = /continue=/;
const relist: Rule = { path: watch, times: 2, fault: { do: "expire" } };

const faults: { name: string; rules: Rule[]; cuts?: boolean; harmless?: boolean }[] = [
  { name: "no fault", rules: [], harmless: true },
  { name: "connections that are cut again and again", rules: [], cuts: true },
  {
    name: "half of the watches reset",
    rules: [{ path: watch, share: 0.5, fault: { do: "reset" } }],
  },
  {
    name: "watches cut in the middle of an event",
    rules: [{ path: watch, times: 6, fault: { do: "truncate", bytes: 5_000 } }],
  },
  { name: "watches that go silent", rules: [{ path: watch, share: 0.6, fault: { do: "stall" } }] },
  { name: "garbage in the stream", rules: [{ path: watch, share: 0.6, fault: { do: "garble" } }] },
  { name: "410 in the stream", rules: [{ path: watch, share: 0.5, fault: { do: "expire" } }] },
  {
    name: "410 on the request",
    rules: [{ path: watch, share: 0.5, fault: { do: "answer", status: 410 } }],
  },
  {
    name: "429 with Retry-After",
    rules: [{ share: 0.3, fault: { do: "answer", status: 429, retryAfter: 1 } }],
  },
  {
    name: "500 and 503",
    rules: [
      { share: 0.3, fault: { do: "answer", status: 500 } },
      { share: 0.3, fault: { do: "answer", status: 503 } },
    ],
  },
  {
    name: "lists that fail in the middle",
    rules: [relist, { path: next, share: 0.2, fault: { do: "answer", status: 500 } }],
  },
  {
    name: "lists that are cut in the middle",
    rules: [relist, { path: next, share: 0.2, fault: { do: "truncate", bytes: 3_000 } }],
  },
  {
    name: "lists whose continuation expires",
    rules: [relist, { path: next, share: 0.2, fault: { do: "answer", status: 410 } }],
  },
  {
    name: "lists that stall",
    rules: [relist, { path: page, times: 1, fault: { do: "delay", ms: 1_500 } }],
  },
  { name: "401 for a while", rules: [{ share: 0.4, fault: { do: "answer", status: 401 } }] },
];

test.each(faults)(
  "$name while 200 objects change: every final content is published once",
  async ({ name, rules, cuts, harmless }) => {
    const { api, namespace, proxy } = harness;
    const before = await failures();
    // The first request that matches a random rule always fails.
    const certain = rules.flatMap(({ share, ...rule }) =>
      share === undefined ? [] : [{ ...rule, times: 1 }],
    );
    proxy.rules([...certain, ...rules]);
    if (harmless !== true) proxy.cut();
    const cutting = cuts === true ? setInterval(() => proxy.cut(), 150) : undefined;
    try {
      await churn(api, namespace, COUNT, name);
    } finally {
      clearInterval(cutting);
    }
    proxy.rules([]);
    await expectConsistent(harness);

    await waitFor(() => watcher.ready() === undefined);
    expect((await failures()) > before).toBe(harmless !== true);
  },
);

test("an object above 1 MiB is one like others, in the list and in the watch", async () => {
  const { api, namespace, proxy } = harness;
  const large = (v: string) => v.repeat(1_040_000);
  await api.create(paths.configMap(namespace), configMap(namespace, "large", { v: large("a") }));
  await expectConsistent(harness);
  await api.patch(paths.configMap(namespace, "large"), { data: { v: large("b") } });
  await expectConsistent(harness);
  proxy.rules([relist]);
  await api.patch(paths.configMap(namespace, "large"), { data: { v: large("c") } });
  await expectConsistent(harness);

  const own = (await harness.events()).filter(({ data }) => data.name === "large");
  expect(own.map(({ type }) => type.split(".")[3])).toEqual(["created", "changed", "changed"]);
});
