import { localSecurity } from "@rollcast/testkit/harness/base-config";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { hookReceiver, startNotifierHarness } from "./harness.ts";
import { receivedIds } from "./received.ts";

const TAKEN = "configuration reloaded";
const REFUSED = "configuration refused, keeping the previous one";

/** JSON is YAML. */
async function write(file: string, config: object | string): Promise<void> {
  const text = typeof config === "string" ? config : JSON.stringify(config);
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

function countOf(service: Service, msg: string): number {
  return service.logs.filter((line) => line.msg === msg).length;
}

/** Writes the file and waits until it was taken or refused. */
async function change(service: Service, config: object | string, msg: string): Promise<void> {
  const before = countOf(service, msg);
  await write(service.configFile, config);
  await waitFor(() => countOf(service, msg) > before, { message: msg });
}

test("an added receiver gets messages from then on; the waiting messages of a removed one become dead letters", async () => {
  await using harness = await startNotifierHarness();
  await using second = await startReceiver();
  harness.hook.answer({ status: 503 });
  const notifier = await harness.start();
  await notifier.waitLog(({ msg }) => msg === TAKEN);
  await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(() => true);
  const receivers = [hookReceiver(second, { name: "second" })];
  await change(notifier, harness.config({ receivers }), TAKEN);
  await waitFor(async () => (await harness.deadLetters()).length === 1, {
    message: "a dead letter",
  });
  expect(await harness.deadLetters()).toMatchObject([
    { reason: "ReceiverRemoved", record: { receiver: "hook" } },
  ]);
  const id = await harness.publishEvent("failed", "api");
  await second.waitFor(() => true);
  await harness.waitIdle();
  expect(receivedIds(second.received)).toEqual(new Set([id]));
  expect(harness.hook.received).toHaveLength(1);
  const metrics = await harness.metrics();
  expect(metrics).not.toContain('rollcast_receiver_circuit{receiver="hook"');
  expect(metrics).toContain('rollcast_receiver_circuit{receiver="second",state="closed"} 1');
});

const WRONG: readonly { readonly config: object | string; readonly says: string }[] = [
  { config: "notifier: [", says: "is not valid YAML" },
  { config: { notifier: { route: { receiver: "who" } } }, says: "who" },
  {
    config: {
      notifier: { receivers: [{ name: "s", slack: { webhookUrlFrom: { env: "NO_SUCH" } } }] },
    },
    says: "NO_SUCH",
  },
];

test("an invalid file leaves the previous configuration in effect, with an error, until it is fixed", async () => {
  await using harness = await startNotifierHarness();
  const notifier = await harness.start();
  await notifier.waitLog(({ msg }) => msg === TAKEN);
  const successful = "rollcast_config_last_reload_successful";
  expect(await harness.metrics()).toContain(`${successful} 1`);
  for (const { config, says } of WRONG) {
    const bad = typeof config === "string" ? config : { ...harness.config(), ...config };
    await change(notifier, bad, REFUSED);
    const line = notifier.logs.findLast(({ msg }) => msg === REFUSED);
    expect(line?.level).toBe("error");
    expect(JSON.stringify(line?.err)).toContain(says);
    expect(await harness.metrics()).toContain(`${successful} 0`);
  }
  const id = await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(() => true);
  expect(receivedIds(harness.hook.received)).toEqual(new Set([id]));
  await change(notifier, harness.config({ route: { groupWait: "0" } }), TAKEN);
  expect(await harness.metrics()).toContain(`${successful} 1`);
  expect(countOf(notifier, REFUSED)).toBe(WRONG.length);
});

test("a mounted ConfigMap, which changes by swapping symbolic links, is reloaded", async () => {
  await using harness = await startNotifierHarness();
  await using second = await startReceiver();
  const { dir } = harness;
  const version = async (name: string, config: object) => {
    await mkdir(join(dir, name));
    await write(join(dir, name, "rollcast.yaml"), config);
    await symlink(name, join(dir, "..data_tmp"));
    await rename(join(dir, "..data_tmp"), join(dir, "..data"));
  };
  await version("..2026_1", harness.config());
  const file = join(dir, "rollcast.yaml");
  await symlink("..data/rollcast.yaml", file);
  const notifier = await harness.start({ env: { ROLLCAST_CONFIG: file } });
  await notifier.waitLog(({ msg }) => msg === TAKEN);
  await version(
    "..2026_2",
    harness.config({ receivers: [hookReceiver(second, { name: "second" })] }),
  );
  await rm(join(dir, "..2026_1"), { recursive: true });
  await notifier.waitLog(({ msg }) => msg === "receivers reloaded");
  const id = await harness.publishEvent("failed", "web");
  await second.waitFor(() => true);
  expect(receivedIds(second.received)).toEqual(new Set([id]));
});

test("a gone receiver is tried again when the file with its URL changes", async () => {
  await using harness = await startNotifierHarness();
  await using moved = await startReceiver();
  const { dir } = harness;
  harness.hook.answer({ status: 410 });
  const file = join(dir, "url");
  await write(file, `${harness.hook.url}/old`);
  const webhook = { urlFrom: { file } };
  const security = localSecurity(harness.hook, moved);
  const receivers = [{ name: "hook", webhook, security }];
  const notifier = await harness.start({ notifier: { receivers } });
  await harness.publishEvent("failed", "web");
  await harness.waitEvent("dead");
  await write(file, `${moved.url}/new`);
  await notifier.waitLog(({ msg }) => msg === "receivers reloaded");
  const id = await harness.publishEvent("failed", "api");
  await moved.waitFor(() => true);
  expect(receivedIds(moved.received)).toEqual(new Set([id]));
  expect(harness.hook.received).toHaveLength(1);
});

test("a replica that has not loaded the newest configuration leaves a new receiver's messages to the others", async () => {
  await using harness = await startNotifierHarness();
  await using second = await startReceiver();
  const route = { groupBy: ["workload"], groupWait: "0" };
  await harness.start({ notifier: { receivers: [], route } });
  const receivers = [hookReceiver(second, { name: "second", rateLimit: { max: 100 } })];
  await harness.start({ notifier: { receivers, route } });
  for (let i = 0; i < 60; i++) await harness.publishEvent("failed", `web-${i}`);
  await waitFor(() => receivedIds(second.received).size > 0, {
    message: "the new receiver to get a message",
  });
  await harness.waitAcknowledged();
  await harness.waitIdle();
  expect(await harness.deadLetters()).toEqual([]);
});
