import { expect, test } from "vitest";
import { loadOrderFaults } from "./load-order.ts";
import { readTexts } from "./read-sources.ts";

test("no function is called before the constants that it uses are there", async () => {
  expect(loadOrderFaults(await readTexts({ tests: true }))).toEqual([]);
});

test.each([
  ["a constant", "await main();\nconst LIMIT = 1;\nasync function main() { return LIMIT; }"],
  ["a class", "try { main(); } catch {}\nclass LIMIT {}\nfunction main() { return new LIMIT(); }"],
  ["a constant of a parameter", "main();\nconst LIMIT = 1;\nfunction main(limit = LIMIT) {}"],
  ["for what is exported", "main();\nconst LIMIT = 1;\nexport function main() { return LIMIT; }"],
  ["what is exported", "main();\nexport const LIMIT = 1;\nfunction main() { return LIMIT; }"],
])("%s below the call that needs it is found", (_, text) => {
  expect(loadOrderFaults([{ file: "a.ts", text }])).toEqual([
    "a.ts: LIMIT is declared below a call that may need it",
  ]);
});

test.each([
  ["above the call", "const LIMIT = 1;\nmain();\nfunction main() { return LIMIT; }"],
  ["that no function uses", "main();\nconst LIMIT = 1;\nfunction main() {}"],
  ["below a call in a function", "function a() { main(); }\nconst LIMIT = 1;\nfunction main() {}"],
])("a constant %s is no fault", (_, text) => {
  expect(loadOrderFaults([{ file: "a.ts", text }])).toEqual([]);
});
