import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { expect, test } from "vitest";
import { blockOf, listedWays, staleness, withBlock } from "./block.ts";
import { STRETCHES } from "./measure.ts";
import type { Way } from "./way.ts";

const OWN = "services/watcher/src/store/outbox.ts";
const LIB = "libs/nats/src/kv.ts";
const BESIDE = "libs/nats/src/bucket.ts";
const WAY: Way = {
  service: "watcher",
  title: "From here to there",
  files: [OWN, LIB],
  sometimes: [BESIDE, "libs/async/src/retry.ts"],
};
const EMPTY =
  "before\n<!-- ways: made by `npm run ways -- --write` -->\n<!-- end of ways -->\nafter";
const page = withBlock(
  EMPTY,
  blockOf([WAY], () => "Says ".padEnd(200, "more words ")),
);

test("docs/architecture.md lists three ways, and only files that exist: `npm run ways -- --write` renews it", async () => {
  const text = await readFile(join(repositoryRoot(), "docs", "architecture.md"), "utf8");
  const listed = listedWays(text);
  expect([...listed.keys()]).toEqual(STRETCHES.map(({ title }) => title));
  for (const [title, { files }] of listed) expect(files.length, title).toBeGreaterThan(0);
  const files = [...listed.values()].flatMap((way) => [...way.files, ...way.sometimes]);
  expect(files.filter((file) => !existsSync(join(repositoryRoot(), file)))).toEqual([]);
});

test("a block stands between its marks, no line wider than the page, and is read back", () => {
  expect(page).toMatch(/^before\n[^]*after$/);
  expect(Math.max(...page.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(listedWays(page)).toEqual(
    new Map([[WAY.title, { files: WAY.files, sometimes: WAY.sometimes }]]),
  );
  expect(withBlock(page, "x")).toBe(withBlock(EMPTY, "x"));
});

test("a page without the marks is refused", () => {
  expect(() => listedWays("before")).toThrow("the page lacks");
});

test.each([
  ["what it lists runs", WAY, []],
  ["it lists what runs for some changes", { ...WAY, files: [LIB], sometimes: [OWN] }, []],
  ["what races with it won each time", { ...WAY, files: [...WAY.files, BESIDE] }, []],
  [
    "it lists what does not run",
    { ...WAY, files: [LIB], sometimes: [] },
    [`${WAY.title}: ${OWN} does not run any more`],
  ],
  [
    "it lacks what runs",
    { ...WAY, files: [...WAY.files, "libs/new.ts"] },
    [`${WAY.title}: libs/new.ts is missing`],
  ],
])("a page is stale or not where %s", (_, way, faults) => {
  expect(staleness(page, [way])).toEqual(faults);
});
