import { writeFile } from "node:fs/promises";
import { renderedFiles } from "@rollcast/testkit/chart";

for (const { file, render } of await renderedFiles()) await writeFile(file, await render());
