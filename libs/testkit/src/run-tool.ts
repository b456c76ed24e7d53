import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { serverBinary } from "./binaries.ts";
import type { ServerName } from "./binaries.ts";

const run = promisify(execFile);

/**
 * Runs a tool, without anything of the user's, and returns what it prints. Throws what it says
 * where it fails.
 */
export async function runTool(
  tool: ServerName,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), `rollcast-${tool}-`));
  try {
    const { stdout } = await run(serverBinary(tool), args, {
      env: { PATH: process.env.PATH, HOME: home, ...env },
      maxBuffer: 64 << 20,
    });
    return stdout;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
