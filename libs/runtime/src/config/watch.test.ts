import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { createLogger } from "../logger.ts";
import { createMetrics } from "../metrics.ts";
import type { Config } from "@rollcast/shared/config/schema";
import { watchConfig } from "./watch.ts";

const HEAD = "apiVersion: rollcast.dev/v1\nkind: Config\n";

/** A watched file, what was applied of it, what was logged, and the metric. */
async function watched(apply?: (config: Config) => Promise<void>, also?: () => Promise<string>) {
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "rollcast-watch-"));
  undo.defer(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, "rollcast.yaml");
  const write = async (text: string) => {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  };
  await write(`${HEAD}cluster: first\n`);
  const applied: string[] = [];
  const lines: string[] = [];
  const metrics = createMetrics();
  undo.use(
    watchConfig({
      env: { ROLLCAST_CONFIG: file },
      logger: createLogger("test", "error", { write: (line) => void lines.push(line) }),
      metrics,
      periodMs: 10,
      apply: async (config) => {
        await apply?.(config);
        applied.push(config.cluster);
      },
      also,
    }),
  );
  const kept = undo.move();
  const ok = async () => {
    const text = await metrics.text();
    return /^rollcast_config_last_reload_successful (\d)$/m.exec(text)?.[1];
  };
  return { file, write, applied, lines, ok, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const until = { timeout: 10_000, interval: 5 };

test("each content is applied once, in its order, the first one too", async () => {
  await using watch = await watched();
  // Before the first look too: the process has started with what the file says.
  expect(await watch.ok()).toBe("1");
  await vi.waitFor(() => expect(watch.applied).toEqual(["first"]), until);
  await watch.write(`${HEAD}cluster: second\n`);
  await vi.waitFor(() => expect(watch.applied).toEqual(["first", "second"]), until);
  await watch.write(`# the same\n${HEAD}cluster: second\n`);
  await vi.waitFor(() => expect(watch.applied).toEqual(["first", "second", "second"]), until);
  expect(await watch.ok()).toBe("1");
});

test("a content that is refused is told until the one that counts is back, which is not applied again", async () => {
  await using watch = await watched();
  await vi.waitFor(() => expect(watch.applied).toEqual(["first"]), until);
  await watch.write(HEAD);
  await vi.waitFor(async () => expect(await watch.ok()).toBe("0"), until);
  await watch.write(`${HEAD}cluster: first\n`);
  await vi.waitFor(async () => expect(await watch.ok()).toBe("1"), until);
  expect(watch.applied).toEqual(["first"]);
});

test("a file that is gone keeps what counts", async () => {
  await using watch = await watched();
  await vi.waitFor(() => expect(watch.applied).toEqual(["first"]), until);
  await rm(watch.file);
  await vi.waitFor(async () => expect(await watch.ok()).toBe("0"), until);
  const fault = `${watch.file} cannot be read: no such file or directory (ENOENT)`;
  expect(watch.lines.map((line) => JSON.parse(line).err.message)).toEqual([fault]);
  await watch.write(`${HEAD}cluster: second\n`);
  await vi.waitFor(() => expect(watch.applied).toEqual(["first", "second"]), until);
});

test("what fails for another reason than its content is tried again", async () => {
  let failures = 3;
  await using watch = await watched(async () => {
    if (failures-- > 0) throw new Error("Redis is away");
  });
  await vi.waitFor(() => expect(watch.applied).toEqual(["first"]), until);
  expect(await watch.ok()).toBe("1");
});

test("a secret that is another is another configuration", async () => {
  let secret = "a";
  await using watch = await watched(undefined, async () => secret);
  await vi.waitFor(() => expect(watch.applied).toEqual(["first"]), until);
  secret = "b";
  await vi.waitFor(() => expect(watch.applied).toEqual(["first", "first"]), until);
});
