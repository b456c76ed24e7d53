import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, expect, test } from "vitest";
import { findService, parseStat } from "./check.ts";

const root = mkdtempSync(join(tmpdir(), "rollcast-proc-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const stat = (pid: number, name: string, state: string, parent: number, start: number) =>
  `${pid} (${name}) ${state} ${parent} ${pid} ${pid} 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 11 0 ${start} 1 2 3\n`;

test.each(["node", "Main Thread", "a) R 1 (b", ")", ""])("a process whose name is %j", (name) => {
  expect(parseStat(stat(7, name, "S", 1, 4_711))).toEqual({
    pid: 7,
    state: "S",
    parent: 1,
    start: "4711",
  });
});

test.each(["", "7", "7 (node", "x (node) S 1"])("what is no process is none: %j", (text) => {
  expect(parseStat(text)).toBeUndefined();
});

type Shown = readonly [pid: number, parent: number, args: string, state?: string, start?: number];

let count = 0;
/** A folder that shows processes as Linux does. */
function proc(...processes: readonly Shown[]): string {
  const dir = join(root, String(++count));
  mkdirSync(join(dir, "sys", "kernel", "random"), { recursive: true });
  writeFileSync(join(dir, "sys", "kernel", "random", "boot_id"), "b00t\n");
  writeFileSync(join(dir, "uptime"), "1 2");
  for (const [pid, parent, args, state = "S", start = 100] of processes) {
    mkdirSync(join(dir, String(pid)));
    writeFileSync(join(dir, String(pid), "stat"), stat(pid, "x", state, parent, start));
    writeFileSync(join(dir, String(pid), "cmdline"), args.replaceAll(" ", "\0"));
  }
  return dir;
}

const INIT: Shown = [1, 0, "/sbin/docker-init -- /nodejs/bin/node main.mjs"];
const SERVICE: Shown = [7, 1, "/nodejs/bin/node main.mjs"];

test.each<[string, Shown[]]>([
  ["alone", [INIT, SERVICE]],
  [
    "beside a check, which the engine starts",
    [INIT, SERVICE, [40, 0, "/nodejs/bin/node healthcheck.js"]],
  ],
  ["with children of its own", [INIT, SERVICE, [8, 7, "plugin"]]],
  ["beside a child that has ended", [INIT, [5, 1, "", "Z"], SERVICE]],
  ["beside a check that the init would have as a child", [INIT, SERVICE, [process.pid, 1, "node"]]],
])("the service is the only child of the init: %s", (_, processes) => {
  expect(findService(1, proc(...processes))).toEqual({ pid: 7, id: "b00t 7 100" });
});

test("one that gets the number of another is another", () => {
  const before = findService(1, proc(INIT, SERVICE));
  expect(findService(1, proc(INIT, [7, 1, "node", "S", 101]))).not.toEqual(before);
});

test.each<[string, Shown[], RegExp]>([
  [
    "the service is process 1",
    [[1, 0, "/nodejs/bin/node main.mjs"]],
    /^process 1 is the service itself.*init: true/,
  ],
  [
    "the service is process 1 and has a child",
    [
      [1, 0, "/nodejs/bin/node main.mjs"],
      [9, 1, "plugin"],
    ],
    /^process 1 is the service itself/,
  ],
  [
    "the only child has started the check",
    [INIT, [7, 1, "npm test"], [9, 7, "node"], [process.pid, 9, "node"]],
    /^process 7 has started this check/,
  ],
  ["there is no service", [INIT], /^process 1 has no child$/],
  [
    "there are two",
    [INIT, SERVICE, [8, 1, "other"]],
    /^process 1 has several children: which is the service\?$/,
  ],
])("nobody is named where %s", (_, processes, fault) => {
  expect(findService(1, proc(...processes))).toEqual({ fault: expect.stringMatching(fault) });
});
