import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, expect, test } from "vitest";
import { changeOwner, parseOwnership } from "./folder-ownership.ts";

const dir = mkdtempSync(join(tmpdir(), "rollcast-own-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];

test("an ownership is parsed, and refused if it is incomplete", () => {
  expect(parseOwnership("999:1000=/data")).toEqual({ uid: 999, gid: 1_000, folder: "/data" });
  for (const text of ["redis=/data", "999=/data", "999:1000=", "-1:0=/data", "999:1000"]) {
    expect(() => parseOwnership(text)).toThrow("--own must be like --own 1000:1000=/data");
  }
});

test("a folder that belongs to its user is left unchanged", async () => {
  expect(await changeOwner({ uid, gid, folder: dir })).toBe(false);
});

test("a folder, but not its content, changes its owner once, or the reason is given", async () => {
  const folder = mkdtempSync(join(dir, "data-"));
  writeFileSync(join(folder, "file"), "x");
  const wanted = { uid: 12_345, gid: 12_346, folder };
  if (uid !== 0) {
    const fault = `${folder} cannot be given to 12345:12346: operation not permitted (EPERM)`;
    await expect(changeOwner(wanted)).rejects.toThrow(fault);
    return;
  }
  expect(await changeOwner(wanted)).toBe(true);
  expect(await changeOwner(wanted)).toBe(false);
  expect(statSync(folder)).toMatchObject({ uid: 12_345, gid: 12_346 });
  expect(statSync(join(folder, "file"))).toMatchObject({ uid, gid });
});

test("what is no folder is refused by its name", async () => {
  const none = join(dir, "none");
  await expect(changeOwner({ uid, gid, folder: none })).rejects.toThrow(
    `${none} cannot be given to ${uid}:${gid}: no such file or directory (ENOENT)`,
  );
  const link = join(dir, "link");
  symlinkSync(dir, link);
  await expect(changeOwner({ uid, gid, folder: link })).rejects.toThrow(
    `${link} cannot be given to`,
  );
});
