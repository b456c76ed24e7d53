import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { BUCKETS, DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/streams";
import { SIGNING_SECRET } from "@rollcast/testkit/harness/base-config";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { configMap, paths, secret, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { Received } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { setKey, setSecretKey, startStack, uniqueValue, waitSettled } from "./stack.ts";
import type { Stack } from "./stack.ts";

type Delivered = { type: string; timestamp: string; data: unknown };

/** The body of a webhook, checked by the standard's own library. */
function verified(received: Received): Delivered {
  const headers = Object.fromEntries(
    ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => [
      name,
      String(received.headers[name]),
    ]),
  );
  return new Webhook(SIGNING_SECRET).verify(received.body, headers) as Delivered;
}

/** Every stored byte of every stream and bucket, as text. */
async function everythingInNats(stack: Stack): Promise<string> {
  await using nats = await stack.connect();
  const names = [EVENT_STREAM, DEAD_LETTER_STREAM, ...BUCKETS.map((bucket) => `KV_${bucket}`)];
  const parts: string[] = [];
  for (const name of names) {
    const { state } = await nats.jsm.streams.info(name);
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await nats.jsm.streams.getMessage(name, { seq }).catch(() => null);
      if (message === null) continue;
      parts.push(message.subject, String(message.header), new TextDecoder().decode(message.data));
    }
  }
  expect(parts.length).toBeGreaterThan(20);
  return parts.join("\n");
}

/** Every write that Redis ever took. */
async function everythingInRedis(stack: Stack): Promise<string> {
  const dir = join(stack.redis.dir, "appendonlydir");
  const files = await readdir(dir);
  const texts = await Promise.all(files.map((file) => readFile(join(dir, file), "latin1")));
  expect(texts.join("").length).toBeGreaterThan(1_000);
  return texts.join("\n");
}

test("the outcome arrives signed: succeeded, and failed with the reason", async () => {
  await using stack = await startStack({ services: ["watcher", "notifier"] });
  const { api, namespace, receiver } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  const annotations = { "rollcast.dev/auto": "true", "rollcast.dev/notify": "hook, none" };
  await api.create(
    paths.deployment(namespace),
    deployment(namespace, "good", { uses, annotations }),
  );
  await api.create(
    paths.deployment(namespace),
    deployment(namespace, "bad", {
      uses,
      podAnnotations: { [NEVER_READY]: "true" },
      progressDeadlineSeconds: 2,
    }),
  );
  await waitRolledOut(api, namespace, "good");
  await stack.start("restarter");
  for (const name of ["good", "bad"]) await waitSettled(stack, name);

  await setKey(stack, "cfg", "a", "1");
  const succeeded = await receiver.waitFor(
    (request) => request.body.includes("rollout.succeeded"),
    60_000,
  );
  const failed = await receiver.waitFor(
    (request) => request.body.includes("rollout.failed"),
    60_000,
  );
  const good = JSON.stringify(verified(succeeded));
  expect(good).toContain(`"name":"good"`);
  expect(good).toContain(`"changed":["a"]`);
  // Told all the same: the configuration lets no namespace name receivers.
  expect(good).toContain(`"notify":["hook","none"]`);
  const bad = JSON.stringify(verified(failed));
  expect(bad).toContain(`"name":"bad"`);
  expect(bad).toContain("ProgressDeadlineExceeded");
  expect(succeeded.headers["webhook-id"]).not.toBe(failed.headers["webhook-id"]);
  await stack.waitEvent("sent", "hook", 2);
});

test("no value of a Secret or ConfigMap leaves the watcher", async () => {
  await using stack = await startStack({
    services: ["watcher", "notifier"],
    config: { log: { level: "trace" } },
  });
  const { api, namespace, receiver } = stack;
  const values = Array.from({ length: 4 }, uniqueValue);
  const [oldSecret = "", newSecret = "", oldConfig = "", newConfig = ""] = values;
  await api.create(paths.secret(namespace), secret(namespace, "sec", { password: oldSecret }));
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: oldConfig }));
  const uses = [
    { as: "env", secret: "sec", key: "password" },
    { as: "volume", configMap: "cfg" },
  ] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  await stack.start("restarter");
  await waitSettled(stack, "web");
  await setSecretKey(stack, "sec", "password", newSecret);
  await stack.waitEvent("succeeded", "web", 1);
  await setKey(stack, "cfg", "a", newConfig);
  await stack.waitEvent("succeeded", "web", 2);
  await receiver.waitFor((request) => request.body.includes("rollout.succeeded"), 60_000);
  await waitFor(async () => (await stack.events()).some((event) => event.type.includes(".sent.")));

  const metrics = await Promise.all(
    stack.services.map(async (service) => (await fetch(`${service.http()}/metrics`)).text()),
  );
  const places: Record<string, string> = {
    logs: JSON.stringify(stack.logs()),
    nats: await everythingInNats(stack),
    redis: await everythingInRedis(stack),
    webhooks: JSON.stringify(receiver.received),
    metrics: metrics.join("\n"),
  };
  for (const [place, text] of Object.entries(places)) {
    for (const value of values) {
      for (const form of [
        value,
        Buffer.from(value).toString("base64"),
        Buffer.from(value).toString("hex"),
      ]) {
        expect(text.includes(form), `${form} in ${place}`).toBe(false);
      }
    }
  }
  // The search can find what is there.
  for (const place of ["logs", "nats", "redis"]) {
    expect(places[place]?.includes("web"), place).toBe(true);
  }
});
