import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { startProcess } from "@rollcast/testkit/process";
import { expect, test } from "vitest";
import { startHealthServer } from "../health/health-server.ts";
import { createLogger } from "../logger.ts";
import { createMetrics } from "../metrics.ts";

const MAIN = join(import.meta.dirname, "main.ts");

async function run(port: number, ...args: readonly string[]) {
  const env = { ROLLCAST_HTTP_PORT: String(port) };
  await using running = await startProcess(process.execPath, [MAIN, ...args], { env });
  return { code: await running.exited, text: running.output() };
}

test("the program prints what /readyz says, and ends with 0 only where the service is ready", async () => {
  const state: { fault?: string } = {};
  await using health = await startHealthServer({
    port: 0,
    metrics: createMetrics(),
    ready: { nats: () => state.fault },
    live: {},
    notes: () => ["a note"],
    logger: createLogger("test", "silent"),
  });
  expect(await run(health.port)).toEqual({ code: 0, text: "ok\na note" });
  state.fault = "not connected";
  expect(await run(health.port)).toEqual({ code: 1, text: "nats: not connected" });
  // Process 1 of this machine is not the parent of a service alone.
  const { code, text } = await run(health.port, "--end-after", "60");
  expect(text.split("\n").at(-1)).toBe("nats: not connected");
  expect(code).toBe(1);
});

test.each(["0", "-1", "1m", "1.5"])("a limit of %j is refused", async (text) => {
  expect(await run(1, `--end-after=${text}`)).toEqual({
    code: 1,
    text: "--end-after must be a whole number of seconds",
  });
});

/** Whatever a source imports, directly or not. */
function imports(file: string, imported = new Set<string>()): Set<string> {
  for (const [, name = ""] of readFileSync(file, "utf8").matchAll(
    /^(?:import|export)\s[^;]*?from "([^"]+)";/gms,
  )) {
    const own = name.startsWith("@rollcast/") ? fileURLToPath(import.meta.resolve(name)) : name;
    const path = name.startsWith(".") ? join(dirname(file), name) : own;
    if (imported.has(path)) continue;
    imported.add(path);
    if (path.startsWith("/")) imports(path, imported);
  }
  return imported;
}

test("it needs no package, nor HTTP, for it starts every few seconds in every container", () => {
  const needed = [...imports(MAIN)].filter((name) => !name.startsWith("/"));
  expect(needed).toContain("node:net");
  expect(needed.filter((name) => !name.startsWith("node:") || /http/.test(name))).toEqual([]);
});
