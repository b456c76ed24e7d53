import { describe, expect, test } from "vitest";
import type { Facts } from "./facts.mjs";
import { makePlan } from "./plan.mjs";

const SERVERS = [
  "nats-server",
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kwok",
];

const TOOLS = ["kubectl", "helm", "helm4", "compose"];

/** A machine with Node and nothing else. */
const BARE: Facts = {
  node: "v20.20.2",
  npm: true,
  toolchain: false,
  built: [],
  assets: [],
  natsServer: undefined,
  natsVersion: undefined,
  redisServer: undefined,
  redisVersion: undefined,
  go: undefined,
  docker: false,
  apt: false,
  natsUrl: false,
  redisUrl: false,
};
const GO: Partial<Facts> = { go: "go version go1.26.8 linux/amd64" };
const REDIS: Partial<Facts> = {
  redisServer: "/usr/bin/redis-server",
  redisVersion: "Redis server v=7.0.15 sha=00000000:0",
};
const START = { command: "start", cluster: false } as const;
const OWN_CLUSTER = { command: "start", cluster: true } as const;
const TEST = { command: "test", cluster: false } as const;
const BENCH = { command: "bench", cluster: false } as const;
const CONTAINERS = { command: "containers", cluster: false } as const;
const ENGINE = { choice: undefined, plugins: ["compose", "buildx"], commands: [] };
/** A Debian without an engine, as root. */
const OWN_ENGINE: Partial<Facts> = {
  apt: true,
  engine: { ...ENGINE, answers: false, root: true, debian: "bookworm" },
};
const HOST_ENGINE: Partial<Facts> = {
  docker: true,
  engine: { ...ENGINE, answers: true, root: false, debian: undefined },
};

describe("what is missing is named all at once", () => {
  test.each([
    ["nothing is there", {}, ["Go", "redis-server"]],
    ["not even npm", { npm: false }, ["npm", "Go", "redis-server"]],
    ["npm is not needed any more", { npm: false, toolchain: true }, ["Go", "redis-server"]],
    ["Go is too old", { go: "go version go1.22.1 linux/amd64", ...REDIS }, ["Go"]],
    ["Go is there", GO, ["redis-server"]],
    [
      "Redis is too old, and so is Debian's",
      { ...GO, redisServer: "/r", redisVersion: "v=5.0.7", apt: true },
      ["redis-server"],
    ],
    ["Docker brings both", { docker: true }, []],
    ["apt brings Redis", { ...GO, apt: true }, []],
    ["all is built", { built: SERVERS, ...REDIS }, []],
  ])("%s", (_, facts, missing) => {
    const plan = makePlan({ ...BARE, ...facts }, START);
    expect(plan.missing.map((line) => line.split(/[ ,]/)[0])).toEqual(missing);
  });
});

describe("what is built", () => {
  test.each([
    ["everything, by Go", START, GO, SERVERS, "go"],
    ["everything, in a container", START, { docker: true }, SERVERS, "container"],
    ["Go is preferred", START, { ...GO, docker: true }, SERVERS, "go"],
    ["what is not there yet", START, { ...GO, built: SERVERS.slice(1) }, ["nats-server"], "go"],
    ["nothing", START, { built: SERVERS }, [], undefined],
    [
      "no nats-server where one on PATH is new enough",
      START,
      { ...GO, natsServer: "/n", natsVersion: "nats-server: v2.12.0" },
      SERVERS.slice(1),
      "go",
    ],
    [
      "a nats-server where the one on PATH is too old",
      START,
      { ...GO, natsServer: "/n", natsVersion: "nats-server: v2.11.9", built: SERVERS.slice(1) },
      ["nats-server"],
      "go",
    ],
    ["no nats-server with NATS_URL", START, { ...GO, natsUrl: true }, SERVERS.slice(1), "go"],
    ["only nats-server for a cluster of the user's", OWN_CLUSTER, GO, ["nats-server"], "go"],
    [
      "nothing for a cluster of the user's with NATS_URL",
      OWN_CLUSTER,
      { natsUrl: true },
      [],
      undefined,
    ],
    [
      "what the assets of envtest do not hold",
      START,
      { ...GO, assets: ["etcd", "kube-apiserver"] },
      ["nats-server", ...SERVERS.slice(3)],
      "go",
    ],
    [
      "every server for what is measured, whatever runs elsewhere",
      BENCH,
      { ...GO, natsUrl: true, redisUrl: true },
      SERVERS,
      "go",
    ],
    [
      "all for tests, whatever runs elsewhere",
      TEST,
      { ...GO, natsUrl: true },
      [...SERVERS, ...TOOLS],
      "go",
    ],
    [
      "all that goes into images, whatever is on PATH",
      CONTAINERS,
      { ...GO, ...OWN_ENGINE, natsServer: "/n", natsVersion: "nats-server: v2.15.2" },
      [...SERVERS, ...TOOLS, "docker-compose", "docker-buildx"],
      "go",
    ],
    [
      "nothing for images where the engine has a registry",
      CONTAINERS,
      { ...GO, ...HOST_ENGINE },
      [...SERVERS, ...TOOLS],
      "go",
    ],
  ] as const)("%s", (_, wish, facts, build, compiler) => {
    const plan = makePlan({ ...BARE, ...facts }, wish);
    expect(plan.build).toEqual(build);
    expect(plan.compiler).toBe(compiler);
  });
});

describe("where Redis comes from", () => {
  test.each([
    ["its URL", START, { ...REDIS, redisUrl: true }, "url"],
    ["PATH", START, { ...REDIS, apt: true, docker: true }, "path"],
    ["Debian", START, { apt: true, docker: true }, "apt"],
    ["a container", START, { docker: true }, "container"],
    ["PATH for tests, which stop it as they like", TEST, { ...REDIS, redisUrl: true }, "path"],
    ["nowhere", TEST, { redisUrl: true }, undefined],
  ] as const)("%s", (_, wish, facts, redis) => {
    expect(makePlan({ ...BARE, ...facts }, wish).redis).toBe(redis);
  });
});

test("containers need no Redis of this machine, but an engine", () => {
  const own = makePlan({ ...BARE, ...GO, ...OWN_ENGINE }, CONTAINERS);
  expect(own).toMatchObject({ redis: undefined, missing: [], engine: { engine: "own" } });
  const engine = { ...ENGINE, answers: false, root: false, debian: undefined };
  const none = makePlan({ ...BARE, ...GO, engine }, CONTAINERS);
  expect(none.missing).toEqual([expect.stringContaining("a Docker engine")]);
  expect(makePlan({ ...BARE, ...GO, ...REDIS }, TEST).engine).toBeUndefined();
});

test("what exists but is not used is noted", () => {
  const facts = { ...BARE, ...GO, natsServer: "/usr/sbin/nats-server", natsVersion: "v2.9.10" };
  expect(makePlan(facts, START).notes).toEqual([
    "/usr/sbin/nats-server is v2.9.10, older than 2.12.0: not used",
  ]);
  expect(makePlan({ ...facts, natsVersion: "v2.15.2" }, START).notes).toEqual([]);
  expect(makePlan({ ...facts, natsUrl: true }, START).notes).toEqual([]);
});

test("Argo's controller is built for the comparison with it alone", () => {
  const machine = { ...BARE, ...GO, ...REDIS };
  const plain = makePlan(machine, TEST).build;

  expect(makePlan(machine, { ...TEST, argo: true }).build).toEqual([
    ...plain,
    "rollouts-controller",
  ]);
  expect(plain).not.toContain("rollouts-controller");
});
