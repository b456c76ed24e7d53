import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { expect, test } from "vitest";

/** The pages with tables whose last column, `shown by`, links to a test by a part of its title. */
const PAGES = ["docs/kinds.md"];

type Row = { readonly line: string; readonly title: string; readonly file: string };

/** The rows of such tables; a row without a link has no title. */
function rowsOf(page: string, text: string): Row[] {
  const tables = text.split("\n\n").filter((block) => / shown by \|$/m.test(block));
  return tables.flatMap((table) =>
    table
      .trim()
      .split("\n")
      .slice(2)
      .map((line) => {
        const [, title = "", path = ""] = /\| \[([^\]]+)\]\(([^)]+)\) \|$/.exec(line) ?? [];
        return { line, title, file: join(dirname(page), path) };
      }),
  );
}

test.each(PAGES)("each row of %s names a test that is there", async (page) => {
  const root = repositoryRoot();
  const rows = rowsOf(page, await readFile(join(root, page), "utf8"));
  expect(rows.length).toBeGreaterThan(10);
  for (const { line, title, file } of rows) {
    expect(title, line).not.toBe("");
    expect(await readFile(join(root, file), "utf8"), line).toContain(title);
  }
});
