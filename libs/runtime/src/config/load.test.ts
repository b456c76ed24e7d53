import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError } from "@rollcast/shared/errors";
import { loadConfig, parseConfig } from "./load.ts";

const HEAD = "apiVersion: rollcast.dev/v1\nkind: Config\ncluster: prod-eu1\n";

/** The lines of the one error with which `text` is refused. */
function faults(text: string, env: Record<string, string> = {}): string[] {
  let thrown: unknown;
  try {
    parseConfig(text, "rollcast.yaml", env);
  } catch (err) {
    thrown = err;
  }
  expect(thrown).toBeInstanceOf(ConfigError);
  return (thrown as ConfigError).message.split("\n");
}

test("everything but the cluster's name has a default", () => {
  expect(parseConfig(HEAD, "rollcast.yaml")).toMatchObject({
    apiVersion: "rollcast.dev/v1",
    kind: "Config",
    cluster: "prod-eu1",
    mode: "active",
    nats: { url: "nats://127.0.0.1:4222", replicas: 1 },
    redis: { url: "redis://127.0.0.1:6379" },
    scope: { namespaces: [] },
    queues: [{ name: "default", concurrency: 20, window: 1_000 }],
    rollout: {
      resyncInterval: 300_000,
      stalledAfter: 600_000,
      loopBreaker: { maxRollouts: 20, period: 600_000, minInterval: 10_000, maxInterval: 900_000 },
    },
    notifier: { receivers: [] },
    health: { stallTimeout: 300_000 },
    log: { level: "info" },
  });
});

test("what is set is kept, and the rest of its section has its defaults", () => {
  const config = parseConfig(
    `${HEAD}
mode: observe
nats: { replicas: 3 }
redis: { url: rediss://redis:6380 }
queues: [{ name: default, window: 1m30s }]
rollout: { loopBreaker: { period: 1h } }
log: { level: debug }
`,
    "rollcast.yaml",
  );

  expect(config).toMatchObject({
    mode: "observe",
    nats: { url: "nats://127.0.0.1:4222", replicas: 3 },
    redis: { url: "rediss://redis:6380" },
    queues: [{ name: "default", concurrency: 20, window: 90_000 }],
    rollout: { resyncInterval: 300_000, loopBreaker: { maxRollouts: 20, period: 3_600_000 } },
    log: { level: "debug" },
  });
});

test("an empty list of queues is the default queue", () => {
  expect(parseConfig(`${HEAD}queues: []`, "f").queues).toHaveLength(1);
});

test("all faults are named at once, each with its path and with what would be right", () => {
  const lines = faults(`
apiVersion: rollcast.dev/v2
kind: Config
mode: dry-run
nats: { url: http://nats, replicas: 9, servers: [a] }
redis: redis://redis
queues:
  - { name: default, concurrency: many, window: 1y, windows: 2s }
rollout: { resyncInterval: 100ms, loopBreaker: { maxRollouts: 2.5, burst: 1 } }
log: { level: loud }
installationKey:
colour: blue
`);

  expect(lines).toEqual([
    "rollcast.yaml is refused:",
    "  apiVersion: must be rollcast.dev/v1",
    "  cluster: is missing: must be a string",
    "  mode: must be active or observe",
    "  nats.url: must be like nats://host:4222",
    "  nats.replicas: must be at most 5",
    "  nats.servers: unknown key, known here: url, replicas, nkey, tls",
    "  redis: must be a mapping, not string",
    "  installationKey: is empty: must be a mapping, or left out",
    "  queues[0].concurrency: must be a number, not string",
    '  queues[0].window: "1y" is not a duration: write it like 500ms, 1s, 5m or 1h30m',
    "  queues[0].windows: unknown key, known here: name, match, concurrency, rateLimit, maxRolling, maxRollingPerNamespace, window, attempts, backoff, haltAfter",
    '  rollout.resyncInterval: "100ms" is out of bounds: 1s to 24h',
    "  rollout.loopBreaker.maxRollouts: must be a whole number, not number",
    "  rollout.loopBreaker.burst: unknown key, known here: maxRollouts, period, minInterval, maxInterval",
    "  log.level: must be trace or debug or info or warn or error",
    "  colour: unknown key, known here: apiVersion, kind, cluster, mode, nats, redis, scope, reload, kinds, installationKey, queues, queueAnnotation, rollout, restarter, notifier, health, log",
  ]);
});

const SECTIONS = [
  ["", "apiVersion"],
  ["nats", "replicas"],
  ["redis", "url"],
  ["scope", "namespaceSelector"],
  ["installationKey", "file"],
  ["rollout", "stalledAfter"],
  ["rollout.loopBreaker", "period"],
  ["notifier", "receivers"],
  ["log", "level"],
] as const;

test.each(SECTIONS)("an unknown key in %j is told beside the known ones", (section, expected) => {
  const nested = section
    .split(".")
    .reduceRight((inner, key) => (key === "" ? inner : `{ ${key}: ${inner} }`), "{ oops: 1 }");
  const text =
    section === "" ? `${HEAD}oops: 1` : `${HEAD}${nested.slice(2, -2).replace(": ", ": ")}`;

  const line = faults(text).find((fault) => fault.includes("oops"));

  expect(line).toContain(`  ${section === "" ? "" : `${section}.`}oops: unknown key, known here: `);
  expect(line?.split("known here: ")[1]?.split(", ")).toContain(expected);
});

test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
  "%s is an unknown key like any other",
  (key) => {
    expect(faults(`${HEAD}${key}: { mode: observe }`)[1]).toContain(`  ${key}: unknown key`);
    expect(faults(`${HEAD}nats: { ${key}: { replicas: 3 } }`)[1]).toContain(
      `  nats.${key}: unknown key`,
    );
  },
);

test("no text but a valid one becomes a configuration, and every refusal is a ConfigError", () => {
  const key = fc.constantFrom(
    "nats",
    "redis",
    "scope",
    "queues",
    "rollout",
    "notifier",
    "log",
    "x",
  );
  const value = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(fc.dictionary(key, value, { minKeys: 1 }), (sections) => {
      const text = JSON.stringify({
        apiVersion: "rollcast.dev/v1",
        kind: "Config",
        cluster: "a",
        ...sections,
      });
      try {
        expect(parseConfig(text, "f")).toMatchObject({ cluster: "a" });
      } catch (err) {
        expect(err).toBeInstanceOf(ConfigError);
      }
    }),
  );
});

test.each([
  ["", "is empty: it must start with apiVersion: rollcast.dev/v1"],
  ["# only a comment\n", "is empty: it must start with apiVersion: rollcast.dev/v1"],
  ["- a\n- b\n", "must be a mapping that starts with apiVersion: rollcast.dev/v1"],
  ["just text", "must be a mapping that starts with apiVersion: rollcast.dev/v1"],
  ["a: [1", "is not valid YAML"],
  ["a: 'open", "is not valid YAML"],
  ["a:\n\tb: 1", "is not valid YAML"],
  ["a: *unknown", "is not valid YAML"],
  ["a: !what x", "is not valid YAML"],
  [`${HEAD}---\n${HEAD}`, "is not valid YAML"],
  [`${HEAD}notifier: { route: &r { routes: [*r] } }`, "is not valid YAML"],
  ["[".repeat(20_000), "is not valid YAML"],
  ["x".repeat(1_048_577), "is larger than 1 MiB"],
])("%.40j is refused", (text, fault) => {
  expect(faults(text)[0]).toContain(`rollcast.yaml ${fault}`);
});

test.each([
  ["a text behind a value", `redis: { url: "redis://r:6379" } s3cr3t`],
  ["a bracket too many", `log:\n}s3cr3t`],
  ["what looks like a tag", "redis: { password: !s3cr3t }"],
  ["what looks like an alias", "redis: { password: *s3cr3t }"],
  ["a header of a block", "redis: |s3cr3t\n  x"],
])("the fault of invalid YAML does not quote it: %s", (_, text) => {
  const lines = faults(`${HEAD}${text}\n`);
  expect(lines[0]).toContain("is not valid YAML");
  expect(lines.join("\n")).not.toContain("s3cr3t");
});

test("duplicate keys are told with their places, all of them", () => {
  const lines = faults(`${HEAD}nats: { replicas: 1, replicas: 3 }\ncluster: other\n`);

  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/^ {2}Map keys must be unique at line 4, column \d+$/);
  expect(lines[2]).toMatch(/^ {2}Map keys must be unique at line 5, column 1$/);
});

test("a file that grows by its aliases is refused", () => {
  const level = (n: number) =>
    `l${n}: &l${n} [${Array(10)
      .fill(`*l${n - 1}`)
      .join(", ")}]`;
  const bomb = ["l0: &l0 [x, x, x]", level(1), level(2), level(3), level(4)].join("\n");

  expect(faults(`${HEAD}${bomb}`).join("\n")).toContain("Excessive alias count");
});

test("an alias is taken where it stands for little", () => {
  const text = `${HEAD}rollout: { resyncInterval: &t 2m, stalledAfter: *t }`;

  expect(parseConfig(text, "f").rollout).toMatchObject({
    resyncInterval: 120_000,
    stalledAfter: 120_000,
  });
});

test("no value is quoted in an error: it could be a secret in the wrong place", () => {
  const secret = "hunter2hunter2";
  const lines = faults(`${HEAD}
mode: ${secret}
nats: { url: "${secret}" }
redis: "redis://:${secret}@redis"
log: { level: ${secret} }
notifier: { receivers: [{ name: "${secret}!", webhook: { url: "${secret}", signing: { secretsFrom: ["${secret}"] } } }] }
`);

  expect(lines.length).toBeGreaterThanOrEqual(8);
  expect(lines.join("\n")).not.toContain(secret);
  expect(lines.join("\n")).toContain("signing.secretsFrom[0]: must be { file: PATH } or");
});

test("the environment overrides the file", () => {
  const env = {
    ROLLCAST_NATS_URL: "nats://elsewhere:4222",
    ROLLCAST_REDIS_URL: "redis://elsewhere:6379",
    ROLLCAST_LOG_LEVEL: "warn",
  };
  const text = `${HEAD}nats: { url: nats://here:4222, replicas: 3 }`;

  expect(parseConfig(text, "f", env)).toMatchObject({
    nats: { url: "nats://elsewhere:4222", replicas: 3 },
    redis: { url: "redis://elsewhere:6379" },
    log: { level: "warn" },
  });
  expect(parseConfig(text, "f", { ROLLCAST_NATS_URL: "" }).nats.url).toBe("nats://here:4222");
});

test("a fault in the environment is told by the variable's name", () => {
  expect(faults(HEAD, { ROLLCAST_REDIS_URL: "http://redis" })).toEqual([
    "rollcast.yaml is refused:",
    "  ROLLCAST_REDIS_URL: must be like redis://host:6379",
  ]);
  expect(faults(HEAD, { ROLLCAST_LOG_LEVEL: "loud" })[1]).toContain("ROLLCAST_LOG_LEVEL: must be");
});

test("an override does not hide that its section is of a wrong type", () => {
  expect(faults(`${HEAD}nats: here`, { ROLLCAST_NATS_URL: "nats://a:1" })[1]).toBe(
    "  nats: must be a mapping, not string",
  );
});

test("an override fills a section that was left empty", () => {
  const config = parseConfig(`${HEAD}nats:\n`, "f", { ROLLCAST_NATS_URL: "nats://a:1" });

  expect(config.nats.url).toBe("nats://a:1");
});

test("the file is found by ROLLCAST_CONFIG, and its absence tells how", async () => {
  const dir = await mkdtemp(join(tmpdir(), "rollcast-config-"));
  try {
    const file = join(dir, "rollcast.yaml");
    await writeFile(file, HEAD);

    expect(loadConfig({ ROLLCAST_CONFIG: file }).cluster).toBe("prod-eu1");
    expect(() => loadConfig({ ROLLCAST_CONFIG: join(dir, "none.yaml") })).toThrow(
      `${join(dir, "none.yaml")} cannot be read: no such file or directory (ENOENT); ROLLCAST_CONFIG names the file`,
    );
    await writeFile(file, "cluster: A_B");
    expect(() => loadConfig({ ROLLCAST_CONFIG: file })).toThrow(file);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("where an API listens is read, and refused where it is nothing to listen on", () => {
  const read = (listen: string) =>
    parseConfig(`${HEAD}restarter: { api: { listen: "${listen}", tokenFile: /t } }`, "f").restarter
      .api;
  expect(read("0.0.0.0:8081")?.listen).toEqual({ host: "0.0.0.0", port: 8081 });
  expect(read("[::1]:0")?.listen).toEqual({ host: "::1", port: 0 });
  for (const bad of ["8081", ":8081", "host:65536", "::1:80", "a b:80"]) {
    expect(() => read(bad), bad).toThrow(/restarter\.api\.listen: (must be like|the port must be)/);
  }
});
