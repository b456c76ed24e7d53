import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "./binaries.ts";

const run = promisify(execFile);

/** Puts what the image of a service holds into the folder `out`, as the Dockerfile does. Throws what the tool says where it fails. */
export async function assembleImage(service: string, out: string): Promise<void> {
  const tool = join(repositoryRoot(), "tools", "image-tree.mjs");
  await run(process.execPath, [tool, service, out], { maxBuffer: 16 << 20 });
}

/** What the image gives to Node, as its Dockerfile says. Throws where Node is not what the image starts. */
export async function imageNodeOptions(): Promise<string[]> {
  const text = await readFile(join(repositoryRoot(), "Dockerfile"), "utf8");
  const [node, ...options] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)?.[1] ?? "[]") as string[];
  if (node !== "/nodejs/bin/node") throw new Error(`the image starts ${node}, not Node`);
  return options;
}
