import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openKv } from "@rollcast/nats/kv";
import { DEAD_LETTER_STREAM } from "@rollcast/nats/streams";
import { define, defineRollouts, pathIn, setStatus } from "@rollcast/testkit/definitions";
import { deployment } from "@rollcast/testkit/deployment";
import type { DeploymentShape } from "@rollcast/testkit/deployment";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { custom } from "@rollcast/testkit/shapes";
import { waitFor } from "@rollcast/testkit/wait";
import { z } from "zod";
import { ENDS } from "./place.ts";
import type { Place } from "./place.ts";
import type { Stack } from "../stack.ts";
import { openWorld, useWorld } from "./world.ts";

const APP = {
  group: `t${randomBytes(4).toString("hex")}.example.com`,
  version: "v1",
  kind: "App",
  plural: "apps",
};

const ROLLOUT = { group: "argoproj.io", version: "v1alpha1", kind: "Rollout", plural: "rollouts" };

const world = useWorld({
  places: ["verbose", "crowd"],
  before: async (api) => {
    await define(api, APP);
    return undefined;
  },
  config: () => ({ kinds: [{ ...APP, templatePath: "spec.template" }] }),
});

/** Makes Deployments without pods that use a ConfigMap; their names. */
async function deployMany(place: Place, count: number, source: string): Promise<string[]> {
  const names = Array.from({ length: count }, (_, i) => `${source}-${String(i).padStart(2, "0")}`);
  const uses = [{ as: "envFrom", configMap: source }] as const;
  for (const name of names) {
    const object = deployment(place.namespace, name, { uses, replicas: 0 });
    await place.api.create(paths.deployment(place.namespace), object);
  }
  return names;
}

/**
 * Conditions may give reasons of 1,024 characters, events 128: more is no event that a subscriber
 * can read.
 */
const LONG_REASON = "A".repeat(200);

/**
 * Rolls a custom resource by a change of `cfg`, and has its controller fail the rollout with a long
 * reason.
 */
async function failVerbosely(place: Place): Promise<void> {
  await place.change();
  await place.firstOf("app", ["started"]);
  await setStatus(place.api, pathIn(place.namespace, APP, "app"), {
    observedGeneration: 2,
    conditions: [
      { type: "Stalled", status: "True", reason: LONG_REASON, message: "it does not go on" },
    ],
  });
}

async function createApp(place: Place): Promise<void> {
  const { api, namespace } = place;
  const app = custom(`${APP.group}/v1`, "App", { namespace, name: "app" });
  await place.source();
  await api.create(pathIn(namespace, APP), app);
  await setStatus(api, pathIn(namespace, APP, "app"), { observedGeneration: 1 });
}

function outcomesOf(place: Place): string[] {
  return place.events("app").map((text) => text.split(" ")[0] ?? "");
}

outcomeTest(
  "a rollout that its controller fails with a long reason is told with as much of it as an event may hold (defect 10)",
  {
    right: {
      events: ["planned", "started", "failed"],
      reasonLength: 128,
      message: "it does not go on",
    },
  },
  async (begin) => {
    const place = world("verbose");
    await createApp(place);
    await place.adopted("app", "App");
    begin();
    await failVerbosely(place);
    await place.firstOf("app", ENDS);
    const [failed] = place.data("app", "failed");
    const { reason = "", message } = failed ?? {};
    return { events: outcomesOf(place), reasonLength: reason.length, message };
  },
);

/** The restarter that wrote the end is killed before it is told: the next one reads it. */
outcomeTest(
  "an end with a long reason is told by the next restarter, and the next change is rolled (defect 10, killed)",
  {
    right: { events: ["planned", "started", "failed", "planned", "started"] },
  },
  async (begin, undo) => {
    const own = undo.use(
      await openWorld({
        places: ["killed"],
        services: [],
        config: () => ({ kinds: [{ ...APP, templatePath: "spec.template" }] }),
      }),
    );
    const { stack } = own;
    const place = own.place("killed");
    await createApp(place);
    const victim = await stack.start("all-in-one", {
      env: { ROLLCAST_TEST_KILL_AT: "end-written:1" },
    });
    await place.adopted("app", "App");
    await failVerbosely(place);
    await victim.exited;
    await stack.start("all-in-one");
    begin();
    await place.firstOf("app", ENDS, { withinMs: 6_000 });
    const skip = place.events("app").length;
    await place.change();
    await place.firstOf("app", ["started"], { withinMs: 6_000, skip });
    return { events: outcomesOf(place) };
  },
);

/** One record that cannot be read is the trouble of its own workload. */
outcomeTest(
  "a change is planned for all its users but one whose record cannot be read (defect 26)",
  { right: { planned: "all others" } },
  async (begin) => {
    const place = world("crowd");
    await place.source();
    const [first = "", ...others] = await deployMany(place, 64, "cfg");
    await Promise.all([first, ...others].map((name) => place.adopted(name)));
    await place.spoil("workloads", "Deployment", first);
    begin();
    await place.change();
    const planned = () => others.filter((name) => place.events(name).includes("planned")).length;
    const letters = async () => {
      const { state } = await place.world.nats.jsm.streams.info(DEAD_LETTER_STREAM);
      return state.messages;
    };
    // All calls under way have ended before the event goes to the dead letters.
    await waitFor(async () => planned() === others.length || (await letters()) > 0, {
      message: "the event to be handled, or to go to the dead letters",
    });
    await waitFor(() => planned() === others.length, { timeout: 4_000 }).catch(() => undefined);
    return { planned: planned() === others.length ? "all others" : "some" };
  },
);

/** So many workloads are reconciled at once. */
const AT_ONCE = 32;

/** What fails again and again must not keep what would succeed waiting. */
outcomeTest(
  "workloads that cannot be reconciled do not keep the end of another one's rollout from being told (defect 5)",
  {
    right: {
      events: ["planned", "started", "succeeded Complete"],
      named: "reconciling fails",
      counted: AT_ONCE,
    },
  },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["stuck"] }));
    const place = own.place("stuck");
    await place.source();
    await place.spoil("sources", "ConfigMap", "bad");
    await deployMany(place, AT_ONCE, "bad");
    const failing = () =>
      new Set(
        own.stack
          .logs()
          .filter(({ msg }) => msg.startsWith("reconcile failed"))
          .map((line) => line.workload),
      );
    await waitFor(() => failing().size >= AT_ONCE, { message: "all of them to fail" });
    await place.deploy("web", { adopt: false });
    // A change in the second of its creation may have been there before.
    await sleep(1_000);
    begin();
    await place.change();
    await place.firstOf("web", ["started"]);
    await waitRolledOut(place.api, place.namespace, "web");
    await place.firstOf("web", ENDS, { withinMs: 8_000 });
    const [service] = own.stack.services;
    const ready = await (await fetch(`${service?.http()}/readyz`)).text();
    const named = /^ok\n(reconciling fails), .*Deployment\/.* and \d+ more$/m.exec(ready)?.[1];
    const count = async () => {
      const metrics = await (await fetch(`${service?.http()}/metrics`)).text();
      return Number(/^rollcast_workloads_failing(?:\{.*\})? (\d+)$/m.exec(metrics)?.[1]);
    };
    await waitFor(async () => (await count()) === AT_ONCE, { timeout: 8_000 }).catch(
      () => undefined,
    );
    const counted = await count();
    return { events: place.events("web"), named, counted };
  },
);

/** Whether `/readyz` names the key of an entry of the bucket `control`; the metric's count. */
async function unreadableOf({ services: [service] }: Stack, key: string) {
  const read = async (path: string) => (await fetch(`${service?.http()}${path}`)).text();
  const named = (await read("/readyz")).includes(key);
  const metric = /^rollcast_control_unreadable(?:\{.*\})? (\d+)$/m;
  return { named, counted: Number(metric.exec(await read("/metrics"))?.[1]) };
}

/** As a newer version may leave it to an older one: nobody knows what it holds back. */
outcomeTest(
  "a freeze that cannot be read holds its namespace back, is named, and nothing else waits (case 26, freeze)",
  {
    right: {
      frozen: ["planned", "deferred Frozen"],
      other: ["planned", "started", "succeeded Complete"],
      named: true,
      counted: 1,
      after: ["planned", "deferred Frozen", "started", "succeeded Complete"],
    },
  },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["frozen", "other"] }));
    const [frozen, other] = [own.place("frozen"), own.place("other")];
    for (const place of [frozen, other]) {
      await place.source();
      await place.deploy("web");
    }
    const { nats } = frozen.world;
    const key = `test.freeze.namespace.${frozen.namespace}`;
    await nats.js.publish(`$KV.control.${key}`, JSON.stringify({ v: 2, type: "freeze" }));
    begin();
    await frozen.change();
    await other.change();
    await frozen.firstOf("web", ["deferred", "started"]);
    await other.firstOf("web", ENDS);
    const { named, counted } = await unreadableOf(own.stack, key);
    const events = { frozen: frozen.events("web"), other: other.events("web") };
    const control = await openKv(nats, "control", z.unknown());
    const entry = await control.get(key);
    await control.remove(key, entry?.revision ?? 0);
    await frozen.firstOf("web", ENDS);
    return { ...events, named, counted, after: frozen.events("web") };
  },
);

/** Neither is JSON of a form that somebody knows. */
const SPOILED = { slow: "{", odd: JSON.stringify({ v: 1, type: "settings", queue: 7 }) } as const;

outcomeTest(
  "settings of a queue that cannot be read pause that queue until they can, are named, and nothing else waits (case 26, settings)",
  {
    right: {
      slow: ["planned", "deferred QueuePaused", "started", "succeeded Complete"],
      odd: ["planned", "deferred QueuePaused", "started", "succeeded Complete"],
      other: ["planned", "started", "succeeded Complete"],
      areNamed: true,
      counted: 2,
      isNamedAfter: false,
      countedAfter: 0,
    },
  },
  async (begin, undo) => {
    const config = (namespaces: Readonly<Record<"slow" | "odd" | "other", string>>) => ({
      queues: [
        { name: "default", window: "100ms" },
        { name: "slow", match: { namespaces: [namespaces.slow] }, window: "100ms" },
        { name: "odd", match: { namespaces: [namespaces.odd] }, window: "100ms" },
      ],
    });
    const own = undo.use(await openWorld({ places: ["slow", "odd", "other"], config }));
    const [slow, odd, other] = [own.place("slow"), own.place("odd"), own.place("other")];
    for (const place of [slow, odd, other]) {
      await place.source();
      await place.deploy("web");
    }
    const { js } = slow.world.nats;
    const write = (queue: keyof typeof SPOILED, value: string) =>
      js.publish(`$KV.control.test.settings.${queue}`, value);
    for (const queue of ["slow", "odd"] as const) await write(queue, SPOILED[queue]);
    begin();
    for (const place of [slow, odd, other]) await place.change();
    for (const place of [slow, odd]) await place.firstOf("web", ["deferred", "started"]);
    await other.firstOf("web", ENDS);
    const before = await unreadableOf(own.stack, "test.settings.slow");
    const { named } = await unreadableOf(own.stack, "test.settings.odd");
    for (const queue of ["slow", "odd"] as const) {
      await write(queue, JSON.stringify({ v: 1, type: "settings", queue }));
    }
    for (const place of [slow, odd]) await place.firstOf("web", ENDS);
    const after = await unreadableOf(own.stack, "test.settings.");
    return {
      slow: slow.events("web"),
      odd: odd.events("web"),
      other: other.events("web"),
      areNamed: before.named && named,
      counted: before.counted,
      isNamedAfter: after.named,
      countedAfter: after.counted,
    };
  },
);

/** Its watcher cannot tell what has changed, nor the restarter what its users run. */
outcomeTest(
  "the users of a source whose record cannot be read are named at once, and no others (case 26, source)",
  { right: { named: "Deployment web", other: ["planned", "started", "succeeded Complete"] } },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["source"] }));
    const place = own.place("source");
    for (const [name, source] of [
      ["web", "cfg"],
      ["api", "other"],
    ] as const) {
      await place.source(source);
      await place.deploy(name, { uses: [{ as: "envFrom", configMap: source }] });
    }
    begin();
    await place.spoil("sources", "ConfigMap", "cfg");
    await place.change("cfg");
    await place.change("other");
    await place.firstOf("api", ENDS);
    const [service] = own.stack.services;
    const line = /^reconciling fails, .*: (Deployment)\/.*\/(\w+)$/m;
    const workload = await waitFor(
      async () => line.exec(await (await fetch(`${service?.http()}/readyz`)).text()),
      { timeout: 10_000 },
    ).catch(() => undefined);
    return { named: workload?.slice(1).join(" "), other: place.events("api") };
  },
);

/** As a newer version may leave it to an older one: nobody can say what it holds. */
outcomeTest(
  "a group of messages that cannot be read is named, and what comes after is delivered (case 26, notify)",
  { right: { delivered: 2, named: true, counted: 1, deadLetters: 0 } },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["notify"], services: [] }));
    const { stack } = own;
    const place = own.place("notify");
    const { nats } = place.world;
    const first = await stack.start("all-in-one");
    await place.source();
    await place.deploy("web", { replicas: 0 });
    const delivered = () =>
      stack.receiver.received.filter(({ body }) => body.includes("rollout.succeeded")).length;
    await place.change();
    await waitFor(() => delivered() === 1, { message: "the first message", timeout: 30_000 });
    await first.kill();
    const keys: string[] = [];
    const notify = await openKv(nats, "notify", z.unknown());
    for await (const { key } of notify.snapshot("test.group.>")) keys.push(key);
    for (const key of keys) {
      await nats.js.publish(`$KV.notify.${key}`, JSON.stringify({ v: 2, type: "group" }));
    }
    const second = await stack.start("all-in-one");
    begin();
    await place.change();
    await waitFor(() => delivered() === 2, { timeout: 15_000 }).catch(() => undefined);
    const read = async (path: string) => (await fetch(`${second.http()}${path}`)).text();
    const [key = "none"] = keys;
    const isNamed = async () => (await read("/readyz")).includes(key);
    await waitFor(isNamed, { timeout: 5_000 }).catch(() => undefined);
    const metric = /^rollcast_notify_unreadable(?:\{.*\})? (\d+)$/m;
    const { state } = await nats.jsm.streams.info(DEAD_LETTER_STREAM);
    return {
      delivered: delivered(),
      named: await isNamed(),
      counted: Number(metric.exec(await read("/metrics"))?.[1]),
      deadLetters: state.messages,
    };
  },
);

/** One rollout at a time, for about 16 s. */
const oneAtATime = () => ({
  rollout: { stalledAfter: "1s" },
  queues: [{ name: "default", window: "100ms", maxRolling: 1 }],
});

/**
 * Makes a Deployment and its source; its rollout ends with its progress deadline, by default in 10
 * minutes.
 */
async function createEndless(place: Place, name: string, shape: DeploymentShape = {}) {
  await place.source(name);
  const uses = [{ as: "envFrom", configMap: name }] as const;
  const podAnnotations = { [NEVER_READY]: "true" };
  const object = deployment(place.namespace, name, { uses, podAnnotations, ...shape });
  await place.api.create(paths.deployment(place.namespace), object);
  await place.adopted(name);
}

/** The one that nobody can follow may have ended long ago. */
outcomeTest(
  "a workload whose record cannot be read gives its quota back, and the next one is rolled (case 26, quota)",
  { right: { second: ["planned", "deferred MaxRolling", "started"] } },
  async (begin, undo) => {
    const own = undo.use(
      await openWorld({
        places: ["full"],
        config: oneAtATime,
      }),
    );
    const place = own.place("full");
    await createEndless(place, "first");
    await place.source("second");
    await place.deploy("second", { uses: [{ as: "envFrom", configMap: "second" }] });
    await place.change("first");
    await place.firstOf("first", ["started"]);
    await place.spoil("workloads", "Deployment", "first");
    await place.change("second");
    await place.firstOf("second", ["deferred"]);
    begin();
    await place.firstOf("second", ["started"], { withinMs: 25_000 });
    return { second: place.events("second") };
  },
);

async function quotaUsed({ services: [service] }: Stack): Promise<number> {
  const metrics = await (await fetch(`${service?.http()}/metrics`)).text();
  return Number(/^rollcast_queue_quota_used\{.*\} (\d+)$/m.exec(metrics)?.[1]);
}

/** Whoever paused it may be on leave, and the others must not wait for that. */
outcomeTest(
  "a paused workload gives its place in the queue back, and takes one again when it is resumed (case 11, paused)",
  {
    right: {
      second: ["planned", "deferred MaxRolling", "started", "succeeded Complete"],
      third: ["planned", "started", "succeeded Complete"],
      // The first never gets ready, and its own deadline is ten minutes later.
      fourth: ["planned", "deferred MaxRolling", "started", "succeeded Complete"],
    },
  },
  async (begin, undo) => {
    const own = undo.use(
      await openWorld({
        places: ["paused"],
        config: oneAtATime,
      }),
    );
    const place = own.place("paused");
    await createEndless(place, "first");
    for (const name of ["second", "third", "fourth"]) {
      await place.source(name);
      await place.deploy(name, { uses: [{ as: "envFrom", configMap: name }] });
    }
    const setPaused = (paused: boolean) =>
      place.api.patch(paths.deployment(place.namespace, "first"), { spec: { paused } }, "kubectl");
    await setPaused(true);
    await place.change("first");
    await place.firstOf("first", ["started"]);
    await place.change("second");
    await place.firstOf("second", ["deferred"]);
    begin();
    await place.firstOf("second", ["succeeded"], { withinMs: 25_000 });
    await place.change("third");
    await place.firstOf("third", ["succeeded", "deferred"]);
    await setPaused(false);
    await waitFor(async () => (await quotaUsed(own.stack)) === 1);
    await place.change("fourth");
    await place.firstOf("fourth", ["started", "deferred"]);
    await place.firstOf("fourth", ["succeeded"], { withinMs: 25_000 });
    return {
      second: place.events("second"),
      third: place.events("third"),
      fourth: place.events("fourth"),
    };
  },
);

/** Neither has a deadline of its own. */
outcomeTest(
  "a canary that waits, and a Deployment that has no progress deadline, give their places back (case 11, no deadline)",
  {
    right: {
      second: ["planned", "deferred MaxRolling", "started", "succeeded Complete"],
      endless: ["planned", "started", "stalled Deadline"],
      third: ["planned", "started", "succeeded Complete"],
    },
  },
  async (begin, undo) => {
    const own = undo.use(
      await openWorld({
        places: ["canary"],
        config: oneAtATime,
        before: async (api) => {
          await defineRollouts(api);
          return undefined;
        },
      }),
    );
    const place = own.place("canary");
    const { api, namespace } = place;
    await place.source("first");
    const uses = [{ as: "envFrom", configMap: "first" }] as const;
    const at = { namespace, name: "first" };
    const rollout = custom("argoproj.io/v1alpha1", "Rollout", at, { uses });
    await api.create(pathIn(namespace, ROLLOUT), rollout);
    const path = pathIn(namespace, ROLLOUT, "first");
    await setStatus(api, path, { observedGeneration: "1", phase: "Healthy" });
    await place.adopted("first", "Rollout");
    await createEndless(place, "endless", { progressDeadlineSeconds: 2_147_483_647 });
    for (const name of ["second", "third"]) {
      await place.source(name);
      await place.deploy(name, { uses: [{ as: "envFrom", configMap: name }] });
    }
    await place.change("first");
    await place.firstOf("first", ["started"]);
    await setStatus(api, path, {
      observedGeneration: "2",
      phase: "Paused",
      controllerPause: true,
      pauseConditions: [{ reason: "CanaryPauseStep", startTime: "2026-01-01T00:00:00Z" }],
    });
    await place.change("second");
    await place.firstOf("second", ["deferred"]);
    begin();
    await place.firstOf("second", ["succeeded"], { withinMs: 25_000 });
    await place.change("endless");
    await place.firstOf("endless", ["stalled"]);
    await place.change("third");
    await place.firstOf("third", ["succeeded", "deferred"]);
    return {
      second: place.events("second"),
      endless: place.events("endless"),
      third: place.events("third"),
    };
  },
);

/**
 * An aggregated API or a conversion webhook may be broken for days, and concerns its own kind only.
 */
outcomeTest(
  "an optional API that answers with errors does not keep Deployments from being rolled (defect 13)",
  {
    right: { ready: true, events: ["planned", "started", "succeeded Complete"] },
  },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["broken"], services: [] }));
    const place = own.place("broken");
    await place.source();
    await place.deploy("web", { adopt: false });
    place.world.proxy.rules([
      { path: /apps\.openshift\.io/, fault: { do: "answer", status: 503 } },
    ]);
    const restarter = await own.stack.start("all-in-one", { wait: false });
    const requestCount = () =>
      restarter.logs.filter(({ msg }) => msg === "kind discovery failed, retrying").length;
    const isReady = async () => {
      const answer = await fetch(`${restarter.http()}/readyz`).catch(() => undefined);
      return answer?.status === 200;
    };
    await waitFor(() => requestCount() > 0, { message: "the broken API to be asked" });
    begin();
    // Asked twice a second until then.
    await waitFor(async () => (await isReady()) || requestCount() >= 16, {
      message: "the restarter to be ready, or to ask again and again",
    });
    const ready = await isReady();
    await place.change();
    await place.firstOf("web", ["succeeded"], { withinMs: ready ? 10_000 : 2_000 });
    return { ready, events: place.events("web") };
  },
);

/** Of a source too: its watcher sees the others, and is ready. */
outcomeTest(
  "an API of the CSI driver that answers with errors does not keep ConfigMaps from being seen (case 27)",
  {
    right: {
      ready: 200,
      named: true,
      counted: 1,
      events: ["planned", "started", "succeeded Complete"],
    },
  },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["driver"], services: [] }));
    const place = own.place("driver");
    await place.source();
    await place.deploy("web", { adopt: false });
    place.world.proxy.rules([{ path: /secrets-store\.csi/, fault: { do: "answer", status: 503 } }]);
    const service = await own.stack.start("all-in-one", { wait: false });
    await service.waitLog(({ msg }) => msg === "http server listening");
    const read = async (path: string) => {
      const answer = await fetch(`${service.http()}${path}`);
      return { status: answer.status, text: await answer.text() };
    };
    begin();
    await waitFor(async () => (await read("/readyz")).status === 200, { timeout: 15_000 }).catch(
      () => undefined,
    );
    const { status: ready, text } = await read("/readyz");
    const named = text.includes("SecretProviderClass is not followed, its API fails: 503");
    const metric = /^rollcast_kind_unavailable\{.*kind="SecretProviderClass".*\} (\d+)$/m;
    const counted = Number(metric.exec((await read("/metrics")).text)?.[1]);
    await place.adopted("web");
    await place.change();
    await place.firstOf("web", ENDS, { withinMs: 10_000 });
    return { ready, named, counted, events: place.events("web") };
  },
);
