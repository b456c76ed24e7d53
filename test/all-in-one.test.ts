import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { chartDir } from "@rollcast/testkit/helm";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { families, metricsIn, seriesNames } from "./exposition.ts";
import { generationOf, setKey, startStack, waitSettled, wordsOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

const NAMES = ["watcher", "restarter", "notifier"] as const;

async function deploy(stack: Stack, name: string) {
  const { api, namespace } = stack;
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, name, { uses }));
  await waitRolledOut(api, namespace, name);
}

function waitDelivered(stack: Stack, outcome: string, name: string) {
  return stack.receiver.waitFor(
    ({ body }) => body.includes(`rollout.${outcome}`) && body.includes(`"${name}"`),
    60_000,
  );
}

test("one process watches, rolls and tells, also after it was stopped and started again", async () => {
  await using stack = await startStack({ services: [] });
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  await deploy(stack, "web");
  const first = await stack.start("all-in-one");
  await waitSettled(stack, "web");

  await setKey(stack, "cfg", "a", "1");
  await waitDelivered(stack, "succeeded", "web");

  expect(await first.kill("SIGTERM")).toBe(0);
  expect(first.logs.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  const services = new Set(first.logs.map(({ service }) => service));
  expect(services).toEqual(new Set(["all-in-one", ...NAMES]));

  await setKey(stack, "cfg", "a", "2");
  await stack.start("all-in-one");
  await stack.waitEvent("succeeded", "web", 2);
  const ends = wordsOf(await stack.events(), "web").filter((outcome) => outcome === "succeeded");
  expect(ends).toHaveLength(2);
});

test("from three services to one process and back, beside each other for a while, each change is rolled once", async () => {
  await using stack = await startStack({ services: [] });
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  await deploy(stack, "web");
  const three = await Promise.all(NAMES.map((name) => stack.start(name)));
  await waitSettled(stack, "web");

  await setKey(stack, "cfg", "a", "1");
  await stack.waitEvent("changed", "cfg");
  const replacement = await stack.start("all-in-one");
  await Promise.all(three.map((service) => service.kill("SIGTERM")));
  await stack.waitEvent("succeeded", "web");
  await waitSettled(stack, "web");
  expect(await generationOf(stack, "web")).toBe(2);

  expect(await replacement.kill("SIGTERM")).toBe(0);
  await setKey(stack, "cfg", "a", "2");
  await Promise.all(NAMES.map((name) => stack.start(name)));
  await stack.waitEvent("succeeded", "web", 2);
  await waitSettled(stack, "web");
  expect(await generationOf(stack, "web")).toBe(3);
  const started = wordsOf(await stack.events(), "web").filter((outcome) => outcome === "started");
  expect(started).toHaveLength(2);
});

test("one server answers for all three: metrics by component, checks by name", async () => {
  await using stack = await startStack({ services: ["all-in-one"] });
  const [service] = stack.services;
  const get = async (path: string) => {
    const answer = await fetch(`${service?.http()}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  expect((await get("/livez")).status).toBe(200);

  const { text } = await get("/metrics");
  const names = families(text).map(({ name }) => name);
  expect(names).toHaveLength(new Set(names).size);
  expect(text).toMatch(/^rollcast_consumer_pending\{component="restarter"\} \d/m);
  expect(text).toMatch(/^rollcast_consumer_pending\{component="notifier"\} \d/m);
  expect(text).toMatch(/^rollcast_watch_\w+\{.*component="watcher".*\} \d/m);
  // What the dashboard and the alerts ask for is there in this shape too.
  const existing = new Set(families(text).flatMap(seriesNames));
  for (const file of ["dashboard.json", "alerts.yaml"]) {
    const queries = await readFile(join(chartDir(), "files", file), "utf8");
    const requested = metricsIn(queries);
    expect(requested.length, file).toBeGreaterThan(10);
    expect(
      requested.filter((name) => !existing.has(name)),
      file,
    ).toEqual([]);
  }
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);

  await stack.redis.kill();
  const fault = await waitFor(
    async () => {
      const answer = await get("/readyz");
      return answer.status === 503 ? answer.text : undefined;
    },
    { message: "an outage of Redis to show" },
  );
  expect(fault).toMatch(/^(restarter|notifier) redis: /m);
});

test("where one of the three cannot start, the process ends and says which and why", async () => {
  await using stack = await startStack({ services: [] });
  const service = await stack.start("all-in-one", {
    wait: false,
    config: { installationKey: { file: "/nowhere/key" } },
  });

  expect(await service.exited).toBe(1);
  const fault = service.logs.find(({ msg }) => msg === "service cannot start");
  expect(fault?.component).toBe("watcher");
  expect(JSON.stringify(fault)).toContain("/nowhere/key");
});
