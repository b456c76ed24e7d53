import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openKv } from "@rollcast/nats/kv";
import { EVENT_STREAM } from "@rollcast/nats/streams";
import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent } from "@rollcast/shared/events";
import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import type { StartOptions } from "@rollcast/testkit/harness/harness-types";
import type { Service } from "@rollcast/testkit/services";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { ControlEntry, freezeKey, settingsKey, stateKey } from "../src/model/control-entry.ts";
import type { Failpoint } from "../src/failpoints.ts";
import { startRestarterHarness } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

const TOKEN = "a-token-of-the-tests";
const QUEUES = ["default", "slow", "brief"].map((name) => ({
  name,
  window: "100ms",
  haltAfter: 1,
  ...(name === "default" ? {} : { match: { workloadSelector: "never=here" } }),
}));

async function start(harness: RestarterHarness, options: StartOptions = {}) {
  const tokenFile = join(harness.dir, "token");
  await writeFile(tokenFile, TOKEN);
  const api = { listen: "127.0.0.1:0", tokenFile };
  return harness.start({ ...options, config: { queues: QUEUES, restarter: { api } } });
}

const killAt = (failpoint: Failpoint): StartOptions => ({
  env: { ROLLCAST_TEST_KILL_AT: failpoint },
  wait: false,
});

/** Calls the restarter's API as anna; its status. */
async function call(service: Service, method: string, path: string, body?: object) {
  const { port } = await service.waitLog(({ msg }) => msg === "api listening");
  const answer = await fetch(`http://127.0.0.1:${String(port)}/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${TOKEN}`,
      "content-type": "application/json",
      "x-rollcast-actor": "anna",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: answer.status, text: await answer.text() };
}

/** Outcomes of events of operations by subject, in the order of the stream. */
function outcomesOf(events: readonly RollcastEvent[]): Record<string, string[]> {
  const outcomes: Record<string, string[]> = {};
  for (const { type, subject = "", data } of events) {
    const { domain, outcome } = eventOutcome(type);
    if (domain !== "freeze" && domain !== "queue") continue;
    const by = "by" in data ? data.by : "";
    (outcomes[`${domain} ${subject}`] ??= []).push(`${outcome} by ${by}`);
  }
  return outcomes;
}

/** While it is so, the stream takes no event of an operation; rollouts go on. */
async function blockEvents({ connection: { jsm } }: RestarterHarness, isBlocked: boolean) {
  const rollouts = ["rollcast.v1.*.source.>", "rollcast.v1.*.rollout.>"];
  const subjects = isBlocked ? rollouts : ["rollcast.v1.>"];
  await jsm.streams.update(EVENT_STREAM, { subjects });
}

const openControlKv = ({ connection }: RestarterHarness) =>
  openKv(connection, "control", ControlEntry);

test("what a replica wrote and could not publish before it was killed is published by another: each event once, in the order of the writes", async () => {
  await using harness = await startRestarterHarness();
  const { namespace } = harness;
  const kv = await openControlKv(harness);
  await kv.create(stateKey(CLUSTER, "slow"), {
    v: 1,
    type: "state",
    queue: "slow",
    rolling: {},
    failures: [
      {
        changes: [{ source: `ConfigMap/${namespace}/cfg`, id: "c1" }],
        rollouts: ["r1"],
      },
    ],
  });
  const victim = await start(harness);
  await blockEvents(harness, true);
  const web = { level: "workload", kind: "Deployment", namespace, name: "web" };
  const calls = [
    ["POST", "/freezes", { level: "cluster" }, 201],
    ["DELETE", "/freezes?level=cluster", undefined, 204],
    ["DELETE", "/freezes?level=cluster", undefined, 404],
    ["POST", "/freezes", { level: "cluster", comment: "again" }, 201],
    ["POST", "/freezes", { level: "namespace", namespace, for: "1s" }, 201],
    ["POST", "/freezes", web, 201],
    ["DELETE", `/freezes?${new URLSearchParams(web).toString()}`, undefined, 204],
    ["PATCH", "/queues/default", { limits: { concurrency: 7 } }, 200],
    ["PATCH", "/queues/default", { paused: true }, 200],
    ["PATCH", "/queues/default", { paused: false }, 200],
    ["PATCH", "/queues/default", { reset: true }, 200],
    ["PATCH", "/queues/default", { reset: true }, 200],
    ["PATCH", "/queues/brief", { paused: true, for: "1s" }, 200],
    ["POST", "/halts/resume", { queue: "slow" }, 200],
  ] as const;
  // The write is what counts: none of them waits for its event.
  for (const [method, path, body, status] of calls) {
    expect(await call(victim, method, path, body), path).toMatchObject({ status });
  }
  const { operations } = await harness.operate(QUEUES);
  await waitFor(() => operations.listFreezes().length === 1, { message: "one freeze to expire" });
  await waitFor(
    async () => (await kv.get(settingsKey(CLUSTER, "brief")))?.value.outbox?.length === 2,
    {
      message: "the pause to expire",
    },
  );
  expect(operations.listFreezes()).toMatchObject([{ scope: { level: "cluster" } }]);
  expect(operations.listQueues().map(({ live, halts }) => ({ live, halts }))).toEqual(
    QUEUES.map(() => ({ live: {}, halts: [] })),
  );
  expect(outcomesOf(await harness.events())).toEqual({});
  await victim.kill("SIGKILL");
  await blockEvents(harness, false);

  // The next one is killed too, before it has taken all of them out.
  const second = await start(harness, killAt("operation-published"));
  expect(await second.exited).toBe("SIGKILL");
  await start(harness);
  const removed = new Set([
    freezeKey(CLUSTER, { level: "namespace", namespace }),
    settingsKey(CLUSTER, "default"),
    settingsKey(CLUSTER, "brief"),
  ]);
  const isLeft = async () => {
    for await (const { key, value } of kv.snapshot(`${CLUSTER}.>`)) {
      if (removed.has(key) || value.outbox !== undefined) return true;
    }
    return false;
  };
  await waitFor(async () => !(await isLeft()), { message: "every event to be published" });
  const events = await harness.events();
  expect(outcomesOf(events)).toEqual({
    "freeze test": ["frozen by anna", "unfrozen by anna", "frozen by anna"],
    [`freeze ${namespace}`]: ["frozen by anna", "unfrozen by rollcast"],
    [`freeze Deployment/${namespace}/web`]: ["frozen by anna", "unfrozen by anna"],
    "queue default": ["updated by anna", "paused by anna", "resumed by anna", "reset by anna"],
    "queue brief": ["paused by anna", "resumed by rollcast"],
    "queue slow": ["released by anna"],
  });
  expect(events.find(({ type }) => type === "dev.rollcast.queue.released.v1")?.data).toEqual({
    queue: "slow",
    by: "anna",
    sources: [{ kind: "ConfigMap", namespace, name: "cfg" }],
  });
  expect(operations.listFreezes()).toMatchObject([{ comment: "again" }]);
});

test("a halt is published once where the replica that wrote it was killed, and a write that fails is a clear error", async () => {
  await using harness = await startRestarterHarness();
  await harness.adopt("cfg", "0");
  await harness.deploy("web", {
    uses: [{ as: "envFrom", configMap: "cfg" }],
    progressDeadlineSeconds: 2,
    podAnnotations: { [NEVER_READY]: "true" },
  });
  const victim = await start(harness, killAt("operation-written"));
  await harness.waitAll(["web"]);
  await harness.change("cfg", "broken");
  expect(await victim.exited).toBe("SIGKILL");
  expect(outcomesOf(await harness.events())).toEqual({});

  const survivor = await start(harness);
  await harness.waitEvent("failed", "web");
  const kv = await openControlKv(harness);
  await waitFor(
    async () => {
      const state = (await kv.get(stateKey(CLUSTER, "default")))?.value;
      return state !== undefined && state.outbox === undefined;
    },
    { message: "the halt to be published" },
  );
  await harness.waitRecord("web", ({ outbox }) => outbox.length === 0);
  expect(outcomesOf(await harness.events())).toEqual({ "queue default": ["halted by rollcast"] });

  await harness.connection.jsm.streams.delete("KV_control");
  const refused = await call(survivor, "POST", "/freezes", { level: "cluster" });
  expect(refused).toMatchObject({ status: 503, text: expect.stringContaining("not-confirmed") });
});
