import process from "node:process";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { Service, ServiceName } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { setKey, startStack, waitSettled } from "./stack.ts";
import type { Stack } from "./stack.ts";

/** A stack whose services reach the API server through a proxy. */
function startProxied(config: object = {}): Promise<Stack> {
  return startStack({ services: [], faultProxy: true, config });
}

/** Starts a service and what it needs of others. */
async function startOne(stack: Stack, name: ServiceName): Promise<Service> {
  // Without one, a restarter waits for the first sync.
  if (name === "restarter") await stack.start("watcher");
  return stack.start(name);
}

type Probe = { readonly status: number; readonly text: string };

async function probe(service: Service, path: "/livez" | "/readyz"): Promise<Probe> {
  const answer = await fetch(`${service.http()}${path}`);
  return { status: answer.status, text: await answer.text() };
}

/** Waits for an answer with this status and a line like this. */
function answered(service: Service, path: "/livez" | "/readyz", status: number, line: RegExp) {
  return waitFor(
    async () => {
      const now = await probe(service, path);
      if (now.status === status && line.test(now.text)) return now;
      throw new Error(`${now.status} ${now.text}`);
    },
    { message: `${service.name} to answer ${status} ${String(line)}`, timeout: 60_000 },
  );
}

type Outage = {
  readonly line: RegExp;
  begin(stack: Stack): Promise<void> | void;
  end(stack: Stack): Promise<void> | void;
};

const OUTAGES = {
  "NATS killed": {
    line: /^nats: /m,
    begin: (stack) => stack.nats.kill(),
    end: (stack) => stack.nats.restart(),
  },
  "NATS hanging": {
    line: /^nats: /m,
    begin: (stack) => stack.nats.freeze(),
    end: (stack) => stack.nats.thaw(),
  },
  "Redis killed": {
    line: /^redis: /m,
    begin: (stack) => stack.redis.kill(),
    end: (stack) => stack.redis.restart(),
  },
  "Redis hanging": {
    line: /^redis: /m,
    begin: (stack) => stack.redis.freeze(),
    end: (stack) => stack.redis.thaw(),
  },
  "API server refusing connections": {
    line: /^watch: /m,
    begin: ({ proxy }) => proxy.rules([{ fault: { do: "reset" } }]),
    end: ({ proxy }) => proxy.rules([]),
  },
  "API server hanging": {
    line: /^watch: /m,
    begin({ proxy }) {
      proxy.rules([{ fault: { do: "stall" } }]);
      proxy.cut();
    },
    end({ proxy }) {
      proxy.rules([]);
      proxy.cut();
    },
  },
} satisfies Record<string, Outage>;
type OutageName = keyof typeof OUTAGES;

const NATS: OutageName[] = ["NATS killed", "NATS hanging"];
const REDIS: OutageName[] = ["Redis killed", "Redis hanging"];
const KUBE: OutageName[] = ["API server refusing connections", "API server hanging"];

test.for<[ServiceName, OutageName[]]>([
  ["watcher", [...NATS, ...KUBE]],
  ["restarter", [...NATS, ...REDIS, ...KUBE]],
  ["notifier", [...NATS, ...REDIS]],
])(
  "%s: /readyz names what is away and is well again after; /livez asks for no restart",
  { timeout: 240_000 },
  async ([name, outages]) => {
    await using stack = await startProxied();
    const service = await startOne(stack, name);
    expect(await probe(service, "/livez")).toEqual({ status: 200, text: "ok\n" });

    for (const title of outages) {
      const { begin, end, line } = OUTAGES[title];
      await begin(stack);
      await answered(service, "/readyz", 503, line);
      expect((await probe(service, "/livez")).status, title).toBe(200);
      await end(stack);
      await answered(service, "/readyz", 200, /^ok$/m);
    }
    expect(service.hasExited()).toBe(false);
  },
);

test("a process that is stopped answers no probe, and goes on where it was", async () => {
  await using stack = await startProxied();
  const service = await startOne(stack, "watcher");

  process.kill(service.pid, "SIGSTOP");
  const signal = AbortSignal.timeout(2_000);
  await expect(fetch(`${service.http()}/livez`, { signal })).rejects.toThrow(/timeout/);
  process.kill(service.pid, "SIGCONT");

  await answered(service, "/livez", 200, /^ok$/m);
  await answered(service, "/readyz", 200, /^ok$/m);
});

/** So short that what is quiet by nature between two heartbeats counts as standing still too. */
const IMPATIENT = { health: { stallTimeout: "2s" } };

test("watcher: /livez names a watch that brings nothing, unless an outage explains it", async () => {
  await using stack = await startProxied(IMPATIENT);
  const service = await startOne(stack, "watcher");

  await answered(service, "/livez", 503, /^work: .*Secret in \S+: nothing consumed for \d+ s/m);
  await stack.nats.kill();
  await answered(service, "/livez", 200, /^ok$/m);
  await stack.nats.restart();
  await answered(service, "/livez", 503, /^work: /m);
  expect(service.hasExited()).toBe(false);
});

test("restarter: /livez names a rollout that does not end, and a stream that is silent", async () => {
  await using stack = await startProxied(IMPATIENT);
  const { proxy } = stack;
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  const service = await startOne(stack, "restarter");
  await waitSettled(stack, "web");
  await answered(service, "/livez", 503, /^work: .*events: nothing received for \d+ s/m);
  await answered(service, "/livez", 503, /^work: .*deployments: nothing consumed for \d+ s/m);

  proxy.rules([{ method: "PATCH", fault: { do: "stall" } }]);
  await setKey(stack, "cfg", "a", "1");
  await answered(service, "/livez", 503, /^work: .*queue default: a job is running for \d+ s/m);
  await stack.redis.kill();
  await answered(service, "/livez", 200, /^ok$/m);
  expect(service.hasExited()).toBe(false);
});

test("notifier: /livez names a delivery that does not end", async () => {
  await using stack = await startProxied(IMPATIENT);
  const { api, namespace } = stack;
  stack.receiver.answer({ instead: "hang" });
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  await startOne(stack, "restarter");
  const service = await startOne(stack, "notifier");
  await waitSettled(stack, "web");

  await setKey(stack, "cfg", "a", "1");
  await answered(service, "/livez", 503, /^work: .*a job is running for \d+ s/m);
  await stack.nats.kill();
  await answered(service, "/livez", 200, /^ok$/m);
  expect(service.hasExited()).toBe(false);
});
