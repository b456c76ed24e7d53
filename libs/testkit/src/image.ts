import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "./binaries.ts";

const run = promisify(execFile);

export type AssemblyOptions = {
  /** The checkout, or a copy of what its build reads; this one unless given. */
  readonly root?: string;
  /** What of the image the folder is to hold, as in the Dockerfile; all unless given. */
  readonly part?: "packages" | "sources";
};

/**
 * Puts what the image of a service (or of `cli`) holds into the folder `out`, as the Dockerfile
 * does. Throws what the tool says where it fails.
 */
export async function assembleImage(
  service: string,
  out: string,
  { root = repositoryRoot(), part }: AssemblyOptions = {},
): Promise<void> {
  const tool = join(root, "scripts", "image", "tree.mjs");
  const args = [tool, service, out, ...(part === undefined ? [] : [part])];
  await run(process.execPath, args, { maxBuffer: 16 << 20 });
}

/**
 * What the image of a service gives to Node, as the Dockerfile's last stage says. Throws where Node
 * is not what the image starts.
 */
export async function imageNodeOptions(): Promise<string[]> {
  const text = await readFile(join(repositoryRoot(), "Dockerfile"), "utf8");
  const entrypoint = /^ENTRYPOINT (.*)$/m.exec(text.slice(text.lastIndexOf("\nFROM ")))?.[1];
  const [node, ...options] = JSON.parse(entrypoint ?? "[]") as string[];
  if (node !== "/nodejs/bin/node") throw new Error(`the image starts ${node}, not Node`);
  return options;
}
