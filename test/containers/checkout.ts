import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { temporaryDir } from "../temporary.ts";

const run = promisify(execFile);
const MAX_LIST_BYTES = 16 << 20;

/**
 * A copy of this repository as a clone would have it, with what is not committed yet, for a test to
 * edit.
 */
export async function copyCheckout(): Promise<AsyncDisposable & { readonly dir: string }> {
  const root = repositoryRoot();
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const { stdout } = await run("git", args, { cwd: root, maxBuffer: MAX_LIST_BYTES });
  const copy = await temporaryDir("checkout");
  for (const file of stdout.split("\0").filter((name) => name !== "")) {
    const target = join(copy.dir, file);
    await mkdir(dirname(target), { recursive: true });
    // A file that was removed and not committed yet is listed, too.
    await cp(join(root, file), target).catch((err: NodeJS.ErrnoException) => {
      if (err.code !== "ENOENT") throw err;
    });
  }
  if (process.env.ROLLCAST_STAND_INS === "1") await stripDigests(copy.dir);
  return copy;
}

/** What stands in for a registry's image has its name, not its digest. */
async function stripDigests(dir: string): Promise<void> {
  for (const file of ["Dockerfile", "docker-compose.yml"]) {
    const path = join(dir, file);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replaceAll(/@sha256:[0-9a-f]{64}/g, ""));
  }
}

/** Replaces `before`, which must be there, in a file of a checkout. */
export async function edit(
  dir: string,
  file: string,
  before: string,
  after: string,
): Promise<void> {
  const path = join(dir, file);
  const text = await readFile(path, "utf8");
  if (!text.includes(before)) throw new Error(`${file} does not hold ${before}`);
  await writeFile(
    path,
    text.replace(before, () => after),
  );
}
