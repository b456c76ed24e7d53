import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { sourceEvent } from "@rollcast/shared/event-builders";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { provision } from "@rollcast/nats/provision";
import { provisionWhenReady } from "@rollcast/nats/wait-provisioned";
import { sourceSubject } from "@rollcast/shared/subjects";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { startNats } from "@rollcast/testkit/nats";
import { startProcess } from "@rollcast/testkit/process";
import type { ServiceName } from "@rollcast/testkit/services";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { apiToken, apiUrl } from "./restarter-api.ts";
import { rollcast } from "./rollcast.ts";
import type { InstallShape, NatsUser } from "@rollcast/testkit/harness/shipped-users";
import { setKey, startSecuredServers, startStack, waitSettled } from "./stack.ts";
import type { SecuredOptions } from "./stack.ts";
import { temporaryDir } from "./temporary.ts";

const logger = createLogger("test", "silent");
const MAIN = join(repositoryRoot(), "cli", "src", "main.ts");
const HISTORY = ["events", "tail", "--since", "1h", "--no-follow"];

/** `rollcast events tail ...` until disposal, and the lines that it wrote. */
async function startTail(args: readonly string[], env: Readonly<Record<string, string>>) {
  const lines: string[] = [];
  const command = [MAIN, "events", "tail", ...args];
  const running = await startProcess(process.execPath, command, {
    env: { ...env, NO_COLOR: "1" },
    onLine: (line) => lines.push(line),
  });
  return { lines, running, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

const SHAPES: readonly [InstallShape, readonly ServiceName[]][] = [
  ["services", ["watcher", "restarter", "notifier"]],
  ["all-in-one", ["all-in-one"]],
];

test.each(SHAPES)(
  "%s: as the shipped operator, doctor finds nothing to do and events tail shows old and new events",
  async (shape, names) => {
    await using stack = await startStack({ secured: { shape }, services: [] });
    const access = await apiToken(stack);
    const { api, namespace } = stack;
    await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
    const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
    await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
    await waitRolledOut(api, namespace, "web");
    await stack.start("provision");
    const config = { restarter: { api: access.config } };
    const services = await Promise.all(names.map((name) => stack.start(name, { config })));
    await waitSettled(stack, "web");
    const restarter = services.find(({ name }) => name === "restarter" || name === "all-in-one");
    if (restarter === undefined) throw new Error("no restarter");
    const nats = { ROLLCAST_NATS_URL: stack.nats.url };
    const seed = ["--nkey", stack.users.seedFile("operator")];
    const more = {
      ...nats,
      ROLLCAST_SERVER: await apiUrl(restarter),
      ROLLCAST_TOKEN: access.token,
      KUBECONFIG: stack.kubeconfig,
    };

    const { code, out } = await rollcast(["doctor", ...seed], more);
    expect(code, out).toBe(0);
    const [, ...findings] = out.trim().split("\n");
    for (const finding of findings) expect(finding).toMatch(/^(ok| ) /);
    for (const about of ["cluster", "rights", "reloader", "nats", "redis", "restarter"]) {
      expect(out).toMatch(new RegExp(`^ok +${about} `, "m"));
    }
    expect(out).toContain("streams and buckets are there");

    await using tail = await startTail([...seed, "--filter", "rollout.succeeded.>"], nats);
    await setKey(stack, "cfg", "a", "1");
    await stack.waitEvent("succeeded", "web");
    const history = await rollcast([...HISTORY, ...seed], nats);
    expect(history).toMatchObject({ code: 0, err: "" });
    for (const outcome of ["source.changed", "rollout.planned", "rollout.succeeded"]) {
      expect(history.out).toContain(outcome);
    }
    // It may have begun after the first.
    for (let count = 2; tail.lines.length === 0; count++) {
      await setKey(stack, "cfg", "a", String(count));
      await stack.waitEvent("succeeded", "web", count);
    }
    for (const line of tail.lines) expect(line).toMatch(/rollout\.succeeded .*deployment\/web/);
    expect(await tail.running.kill("SIGINT")).toBe(0);
  },
);

/** NATS with the shipped users, provisioned unless `empty`, and a connection of the watcher. */
function startBus({ empty = false, ...options }: SecuredOptions & { empty?: boolean } = {}) {
  return startSecuredServers(options, async ({ natsUrl: url, users }, undo) => {
    const dial = async (user: NatsUser) => {
      const nkey = { file: users.seedFile(user) };
      return undo.use(await connectNats({ url, name: user, logger, nkey }));
    };
    if (!empty) {
      const nats = await dial("provision");
      await provisionWhenReady(nats, options.servers ?? 1, AbortSignal.timeout(60_000));
    }
    return { watcher: await dial("watcher") };
  });
}

const EVENT = sourceEvent(
  { id: "a", cluster: "test", service: "watcher", time: Date.now() },
  "changed",
  {
    kind: "ConfigMap",
    namespace: "shop",
    name: "cfg",
    uid: "u1",
    resourceVersion: "1",
    changedKeys: { added: [], changed: ["A"], removed: [] },
    reason: "DataChanged",
  },
);

async function publish({ js }: Nats, id: string): Promise<void> {
  const subject = sourceSubject("test", "changed", EVENT.data);
  await js.publish(subject, JSON.stringify({ ...EVENT, id }), { msgID: id });
}

function idsOf(out: string): string[] {
  const lines = out.split("\n").filter((line) => line !== "");
  return lines.map((line) => (JSON.parse(line) as { id: string }).id);
}

test("three servers: every acknowledged event is shown, whichever server is asked", async () => {
  await using bus = await startBus({ servers: 3 });
  const { watcher } = bus;
  const ids: string[] = [];
  const env = { ROLLCAST_NKEY_FILE: bus.users.seedFile("operator") };
  for (const { url } of [...bus.natsServers, ...bus.natsServers]) {
    for (const _ of Array.from({ length: 20 })) {
      ids.push(`id-${ids.length}`);
      await publish(watcher, ids.at(-1) ?? "");
    }
    const { out, err } = await rollcast([...HISTORY, "-o", "json", "--nats", url], env);
    expect(err).toBe("");
    expect(idsOf(out)).toEqual(ids);
  }
  const { out } = await rollcast(["doctor", "--nats", bus.natsUrl], env);
  expect(out).toMatch(/^ok +nats +streams and buckets are there$/m);
});

describe("without the right to read", () => {
  test("events tail says which seed to give, and quotes none", async () => {
    await using bus = await startBus();
    const { watcher } = bus;
    await publish(watcher, "a");
    await using made = await temporaryDir("nkey");
    const wrong = join(made.dir, "wrong");
    await writeFile(wrong, "SUAWRONG");
    const config = join(made.dir, "rollcast.yaml");
    const nats = { url: bus.natsUrl, nkey: { file: bus.users.seedFile("restarter") } };
    const head = { apiVersion: "rollcast.dev/v1", kind: "Config", cluster: "test" };
    await writeFile(config, stringify({ ...head, nats }));
    const tail = async (...args: string[]) => {
      const { code, out, err } = await rollcast([...HISTORY, "-o", "json", ...args]);
      return { code, out, err: err.replaceAll(/\s+/g, " ") };
    };
    const at = ["--nats", bus.natsUrl];
    const operator = ["--nkey", bus.users.seedFile("operator")];

    const cure = /seed of the user operator \(nats-operator\.nk\) by --nkey/;
    for (const args of [at, [...at, "--nkey", bus.users.seedFile("all-in-one")]]) {
      const { code, err } = await tail(...args);
      expect(err).toContain("NATS refuses the credentials");
      expect(err).toMatch(cure);
      expect(code).toBe(3);
    }
    for (const args of [
      [...at, "--nkey", bus.users.seedFile("restarter")],
      [...at, "--nkey", bus.users.seedFile("subscriber")],
      ["--config", config],
    ]) {
      const { code, err } = await tail(...args);
      expect(err).toContain("NATS does not let this user listen to _INBOX_operator.>");
      expect(err).toMatch(cure);
      expect(code).toBe(3);
    }
    for (const file of [wrong, join(made.dir, "nowhere")]) {
      const { code, err } = await tail(...at, "--nkey", file);
      expect(err).toContain(file);
      expect(err).not.toContain("WRONG");
      expect(code).toBe(2);
    }
    expect(await tail()).toMatchObject({ code: 2 });
    for (const args of [
      [...at, ...operator],
      ["--config", config, ...operator],
    ]) {
      const { out, code } = await tail(...args);
      expect(idsOf(out)).toEqual(["a"]);
      expect(code).toBe(0);
    }
  });

  test("doctor tells a missing right from a missing stream", async () => {
    await using bus = await startBus({ empty: true });
    const doctor = async (user: NatsUser) => {
      const args = ["doctor", "--nats", bus.natsUrl, "--nkey", bus.users.seedFile(user)];
      const { code, out } = await rollcast(args, { KUBECONFIG: "/nowhere" });
      expect(code).toBe(4);
      return out.replaceAll(/\s+/g, " ");
    };
    const missing = await doctor("operator");
    expect(missing).toContain("do nats not there: ROLLCAST, ROLLCAST_DLQ, KV_sources,");
    expect(missing).toContain("run the provision step");
    const forbidden = await doctor("notifier");
    expect(forbidden).toContain("do nats this user may not ask about ROLLCAST, ROLLCAST_DLQ,");
    expect(forbidden).toContain("seed of the user operator");
    expect(forbidden).not.toContain("not there");
    const tail = await rollcast([
      ...HISTORY,
      "--nats",
      bus.natsUrl,
      "--nkey",
      bus.users.seedFile("operator"),
    ]);
    expect(tail).toMatchObject({ code: 3, out: "" });
    expect(tail.err).toContain("the stream of events is not there");
  });
});

test("TLS: a server of a private authority is reached by --nats-ca, and else the reason is shown", async () => {
  const fixture = (name: string) => join(repositoryRoot(), "test", "fixtures", "tls", name);
  const ca = fixture("test.crt");
  const tls = JSON.stringify({ cert_file: ca, key_file: fixture("test.key") });
  await using server = await startNats({ config: `tls ${tls}` });
  const url = server.url.replace("nats://127.0.0.1", "tls://localhost");
  {
    await using nats = await connectNats({ url, name: "test", logger, tls: { ca } });
    await provision(nats, 1);
    await publish(nats, "a");
  }
  const met = await rollcast([...HISTORY, "-o", "json", "--nats", url, "--nats-ca", ca]);
  expect(met).toMatchObject({ code: 0, err: "" });
  expect(idsOf(met.out)).toEqual(["a"]);
  const blind = await rollcast([...HISTORY, "--nats", url]);
  expect(blind).toMatchObject({ code: 3, out: "" });
  expect(blind.err).toMatch(/NATS cannot be reached: .*(self-signed|unable to)/);
});
