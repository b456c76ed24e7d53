import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "./binaries.ts";

const run = promisify(execFile);
/**
 * https://packages.debian.org/bookworm/prometheus: only its promtool is used, nothing is installed.
 */
const PACKAGE = "prometheus";

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function onPath(name: string): Promise<string | undefined> {
  for (const dir of (process.env.PATH ?? "").split(delimiter)) {
    if (await exists(join(dir, name))) return join(dir, name);
  }
  return undefined;
}

async function download(dir: string): Promise<void> {
  const get = () => run("apt-get", ["download", PACKAGE], { cwd: dir });
  await get().catch(async () => {
    await run("apt-get", ["update"]);
    await get();
  });
  const file = (await readdir(dir)).find((name) => name.endsWith(".deb"));
  if (file === undefined) throw new Error(`apt-get downloaded no package ${PACKAGE}`);
  await run("dpkg", ["-x", join(dir, file), dir]);
}

/**
 * Path of Prometheus' promtool: on PATH, else taken out of Debian's package once and kept in the
 * cache. Undefined where there is neither. Throws where the package cannot be downloaded.
 */
export async function promtool(): Promise<string | undefined> {
  const there = await onPath("promtool");
  if (there !== undefined) return there;
  const cache = join(repositoryRoot(), "node_modules", ".cache", "rollcast");
  const kept = join(cache, "promtool");
  if (await exists(kept)) return kept;
  if ((await onPath("apt-get")) === undefined || (await onPath("dpkg")) === undefined) {
    return undefined;
  }
  await mkdir(cache, { recursive: true });
  const dir = await mkdtemp(join(cache, "promtool-"));
  try {
    await download(dir);
    await rename(join(dir, "usr", "bin", "promtool"), kept);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return kept;
}
