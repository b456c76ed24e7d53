import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileFault } from "../files/file-fault.ts";
import type { Memory } from "./decide-health.ts";

function isMemory(value: unknown): value is Memory {
  if (typeof value !== "object" || value === null) return false;
  const { process: id, live, failures, since, endedAt } = value as Record<string, unknown>;
  return (
    typeof id === "string" &&
    typeof live === "boolean" &&
    typeof failures === "number" &&
    typeof since === "number" &&
    (endedAt === undefined || typeof endedAt === "number")
  );
}

/**
 * What the last check wrote down; undefined where there is nothing that can be read, as for a first
 * check.
 */
export function readMemory(file: string): Memory | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isMemory(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes it down in one step, for the engine may kill a check at any time. Returns why it could
 * not.
 */
export function writeMemory(file: string, memory: Memory): string | undefined {
  const partial = `${file}.${process.pid}`;
  try {
    writeFileSync(partial, JSON.stringify(memory), { flag: "wx", mode: 0o600 });
    renameSync(partial, file);
    return undefined;
  } catch (err) {
    rmSync(partial, { force: true });
    return `${file} cannot be written: ${fileFault(err, partial)}: give the container a tmpfs at its folder`;
  }
}
