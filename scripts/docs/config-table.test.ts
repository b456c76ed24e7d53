import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configKeys, withConfigTable } from "./config-table.ts";

const PAGE = join(import.meta.dirname, "..", "..", "docs", "configuration.md");

test("docs/configuration.md has every key, as the schema has it, and says what it means: `pnpm run docs` renews it", async () => {
  const text = await readFile(PAGE, "utf8");
  const { page, missing } = withConfigTable(text);
  expect(missing).toEqual([]);
  expect(text).toBe(page);
});

test("takes paths, values and defaults from the schema", () => {
  const keys = new Map(configKeys().map((key) => [key.path, key]));
  expect(keys.get("mode")).toMatchObject({ takes: "`active`, `observe`", fallback: '`"active"`' });
  expect(keys.get("nats.replicas")).toMatchObject({ takes: "1 to 5", fallback: "`1`" });
  expect(keys.get("reload.auto")).toMatchObject({ takes: "`true`, `false`", fallback: "`false`" });
  expect(keys.get("queues[].name")).toBeDefined();
  expect(keys.has("nats")).toBe(false);
});

test("keeps explanations, drops those of removed keys, and names keys without one", () => {
  const page = [
    "before",
    "<!-- keys: made by `pnpm run docs`, but for what they mean -->",
    "| `cluster` | x | | its name |",
    "| `gone` | x | | old |",
    "<!-- end of keys -->",
    "after",
  ].join("\n");
  const made = withConfigTable(page);
  expect(made.page).toContain("| `cluster` | text |  | its name |");
  expect(made.page).not.toContain("gone");
  expect(made.page).toMatch(/^before\n[^]*after$/);
  expect(made.missing).toContain("mode");
  expect(withConfigTable(made.page).page).toBe(made.page);
});
