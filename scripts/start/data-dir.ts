import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { Options } from "./options.ts";
import { clusterName } from "./target.ts";

/**
 * The folder of this run's data. For a user's cluster it is kept, so that changes between runs are
 * found; a local cluster starts from scratch.
 */
export async function dataDir(
  root: string,
  options: Options,
): Promise<AsyncDisposable & { readonly path: string }> {
  const base = join(root, ".rollcast");
  if (options.cluster !== undefined) {
    const path = join(base, "clusters", clusterName(options.cluster));
    return { path, [Symbol.asyncDispose]: async () => undefined };
  }
  await removeDead(base);
  const path = join(base, `local-${process.pid}`);
  const clear = () => rm(path, { recursive: true, force: true, maxRetries: 3 });
  await clear();
  await mkdir(path, { recursive: true });
  return { path, [Symbol.asyncDispose]: clear };
}

/** Removes the folders of local runs that were killed. */
async function removeDead(base: string): Promise<void> {
  for (const name of await readdir(base).catch(() => [])) {
    const pid = /^local-(\d+)$/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    await rm(join(base, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
