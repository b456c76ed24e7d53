import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import { withLock } from "./lock.mjs";
import { parseOptions } from "../start/options.ts";
import { createProgress, elapsed } from "./progress.mjs";
import { clusterName } from "../start/target.ts";
import { atLeast } from "./versions.mjs";

const dir = mkdtempSync(join(tmpdir(), "rollcast-tools-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each([
  ["v24.12.0", "24.12.0", true],
  ["v24.11.9", "24.12.0", false],
  ["v26.0.0", "24.12.0", true],
  ["go version go1.26 linux/amd64", "1.26.0", true],
  ["go version go1.9.1 linux/amd64", "1.26.0", false],
  ["nats-server: v2.9.10", "2.12.0", false],
  ["nats-server: v2.15.2", "2.12.0", true],
  ["Redis server v=7.0.15 sha=00000000:0", "6.2.0", true],
  ["", "1.0.0", false],
])("%s is at least %s: %s", (version, floor, expected) => {
  expect(atLeast(version, floor)).toBe(expected);
});

test.each([
  [0, "0.0 s"],
  [9_949, "9.9 s"],
  [9_999, "10 s"],
  [59_400, "59 s"],
  [59_900, "1:00"],
  [190_000, "3:10"],
])("%d ms are %s", (ms, text) => {
  expect(elapsed(ms)).toBe(text);
});

test("without a terminal, work in progress is printed in lines", async () => {
  const written: string[] = [];
  const progress = createProgress({ write: (text: string) => written.push(text) });
  expect(await progress.live("building", Promise.resolve(7))).toBe(7);
  expect(written).toEqual(["  .. building\n"]);
});

test("on a terminal, a printed line does not mix with the work in progress", async () => {
  const written: string[] = [];
  const screen = { isTTY: true, columns: 40, write: (text: string) => written.push(text) };
  const progress = createProgress(screen);
  const { promise, resolve } = Promise.withResolvers<void>();
  const work = progress.live("building", promise);
  progress.say("other");
  resolve();
  await work;
  const clear = "\r\u001b[K";
  const line = `${clear}  .. building: 0.0 s`;
  expect(written).toEqual([line, `${clear}other\n`, line, clear]);
});

test("a line that is too long for the terminal is cut before its time", async () => {
  const written: string[] = [];
  const screen = { isTTY: true, columns: 40, write: (text: string) => written.push(text) };
  const progress = createProgress(screen);
  const works = [
    progress.live("building a local Kubernetes from source, once", Promise.resolve()),
    progress.live("bringing Node", Promise.resolve()),
  ];
  await Promise.all(works);
  const lines = written.map((text) => text.replace("\r\u001b[K", ""));
  expect(lines[0]).toBe("  .. building a local Kubernet..: 0.0 s");
  expect(lines[1]).toMatch(/^ {2}\.\. build\w*\.\.: 0\.0 s \| brin\w*\.\.: 0\.0 s$/);
  for (const line of lines) expect(line.length).toBeLessThan(40);
});

test("one at a time holds a lock, also after a failure", async () => {
  const file = join(dir, "lock");
  const order: string[] = [];
  const held = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const waits = Promise.withResolvers<void>();
  const first = withLock(file, async () => {
    order.push("first");
    taken.resolve();
    await held.promise;
    order.push("first ends");
    throw new Error("broken");
  });
  await taken.promise;
  const second = withLock(file, async () => void order.push("second"), {
    onWait: () => waits.resolve(),
  });
  await waits.promise;
  held.resolve();
  await expect(first).rejects.toThrow("broken");
  await second;
  expect(order).toEqual(["first", "first ends", "second"]);
});

test("a lock whose holder is dead, or that was not touched for long, is taken at once", async () => {
  const file = join(dir, "stale");
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await once(child, "exit");
  writeFileSync(file, `${child.pid} ${hostname()} x`);
  const onWait = () => {
    throw new Error("it waits");
  };
  expect(await withLock(file, async () => 1, { onWait })).toBe(1);

  writeFileSync(file, "1 elsewhere x");
  await expect(withLock(file, async () => 2, { onWait })).rejects.toThrow("it waits");
  utimesSync(file, 0, 0);
  expect(await withLock(file, async () => 3, { onWait })).toBe(3);
});

const PARENT = `
const { spawn } = require("node:child_process");
const grandchild = "setInterval(() => {}, 1000); process.on('SIGTERM', () => {})";
const program = "const c = require('node:child_process').spawn(process.execPath, ['-e', " + JSON.stringify(grandchild) + "], { stdio: 'ignore' });"
  + "console.log(process.pid + ' ' + c.pid); process.stdin.on('end', () => process.exit(0)).resume()";
spawn(process.execPath, [process.argv[1], process.execPath, "-e", program], { stdio: ["pipe", "inherit", "inherit"], detached: true });
`;

test("what a guard runs, and what that started, ends when the guard's parent is killed", async () => {
  const guard = join(import.meta.dirname, "guard.mjs");
  const parent = spawn(process.execPath, ["-e", PARENT, guard], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: parent.stdout });
  const [line] = (await once(lines, "line")) as [string];
  const pids = line.split(" ").map(Number);
  expect(pids.map(isAlive)).toEqual([true, true]);

  parent.kill("SIGKILL");

  await expect.poll(() => pids.map(isAlive), { timeout: 10_000 }).toEqual([false, false]);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a guard hands on the exit code", async () => {
  const guard = join(import.meta.dirname, "guard.mjs");
  const args = [guard, process.execPath, "-e", "process.exit(7)"];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "ignore"] });
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(7);
});

test.each([
  [[], { once: false, demo: true }],
  [["--once"], { once: true, demo: true }],
  [["--context", "prod"], { once: false, demo: false, cluster: { context: "prod" } }],
  [
    ["--kubeconfig", "f", "--demo", "--once"],
    { once: true, demo: true, cluster: { kubeconfig: "f" } },
  ],
])("arguments %j", (args, options) => {
  expect(parseOptions(args)).toEqual(options);
});

test.each([
  [["--contxt", "prod"], "--contxt"],
  [["--context"], "--context"],
  [["--context", "prod", "--once"], "add --demo"],
  [["more"], "more"],
])("arguments %j are refused", (args, message) => {
  expect(() => parseOptions(args)).toThrow(message);
});

test("a cluster's name is a DNS label, and another for another cluster", () => {
  const context =
    "arn:aws:eks:eu-central-1:123456789012:cluster/Production_Cluster-with-a-long-name-";
  const name = clusterName({ context });
  expect(name).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
  expect(name.length).toBeLessThanOrEqual(63);
  expect(clusterName({ context })).toBe(name);
  expect(clusterName({ context: `${context}!` })).not.toBe(name);
  expect(clusterName({ context: "///" })).toMatch(/^cluster-/);
});
