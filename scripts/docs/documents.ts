// Regenerates the parts of the documentation that come from code (`pnpm run docs`): the AsyncAPI
// document and the table of configuration keys.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { asyncApiDocument } from "@rollcast/shared/asyncapi";
import { withConfigTable } from "./config-table.ts";

const docs = join(import.meta.dirname, "..", "..", "docs");
const events = join(docs, "asyncapi.json");
await mkdir(dirname(events), { recursive: true });
await writeFile(events, `${JSON.stringify(asyncApiDocument("1.0.0"), null, 2)}\n`);

const configuration = join(docs, "configuration.md");
const { page, missing } = withConfigTable(await readFile(configuration, "utf8"));
await writeFile(configuration, page);
if (missing.length > 0) {
  process.stderr.write(`docs/configuration.md: what do these mean? ${missing.join(", ")}\n`);
}
