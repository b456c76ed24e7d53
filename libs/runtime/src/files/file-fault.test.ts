import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { fileFault, systemReason } from "./file-fault.ts";

const dir = mkdtempSync(join(tmpdir(), "rollcast-file-fault-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function faultOf(file: string): string {
  try {
    readFileSync(file);
  } catch (err) {
    return fileFault(err, file);
  }
  return "none";
}

test("a reason is the system's, with its code", () => {
  writeFileSync(join(dir, "file"), "x");
  expect(faultOf(join(dir, "none"))).toBe("no such file or directory (ENOENT)");
  expect(faultOf(dir)).toBe("illegal operation on a directory (EISDIR)");
  expect(faultOf(join(dir, "file", "none"))).toBe("not a directory (ENOTDIR)");
});

test("what is no error of the system keeps its own words, or its code", () => {
  expect(systemReason(new Error("broken"))).toBe("broken");
  expect(faultOf("a\0b")).toBe("ERR_INVALID_ARG_VALUE");
});

/** Reads a file as another user, who may read nobody's files but his own. */
function faultOfNobody(file: string): string {
  const module = pathToFileURL(join(import.meta.dirname, "file-fault.ts")).href;
  const script = `
    import { readFileSync } from "node:fs";
    import { fileFault } from ${JSON.stringify(module)};
    const isRoot = process.getuid() === 0;
    const file = process.argv[1];
    if (isRoot) { process.setgroups([]); process.setegid(65532); process.seteuid(65532); }
    try { readFileSync(file); console.log("none"); } catch (err) { console.log(fileFault(err, file)); }`;
  const args = ["--input-type=module", "--eval", script, file];
  return spawnSync(process.execPath, args, { encoding: "utf8" }).stdout.trim();
}

test("a file or folder that does not let this process through is named with its owner", () => {
  const uid = process.getuid?.() ?? 0;
  const owner = `${uid}:${process.getgid?.() ?? 0}`;
  const user = uid === 0 ? "65532:65532" : owner;
  chmodSync(dir, 0o755);
  const folder = join(dir, "folder");
  const file = join(folder, "file");
  mkdirSync(folder);
  writeFileSync(file, "s3cret");
  chmodSync(file, 0o000);
  expect(faultOfNobody(file)).toBe(
    `permission denied (EACCES): it has mode 0000 and belongs to ${owner}, this process runs as ${user}`,
  );
  chmodSync(folder, 0o600);
  expect(faultOfNobody(file)).toBe(
    `permission denied (EACCES): ${folder} has mode 0600 and belongs to ${owner}, this process runs as ${user}`,
  );
  chmodSync(folder, 0o700);
});
