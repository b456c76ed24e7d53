import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, readlink, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";

const run = promisify(execFile);

/** This checkout once more, as it is now, with the same dependencies. */
export type CheckoutCopy = AsyncDisposable & { readonly root: string };

/** What git knows, and what is new and not ignored. */
async function listFiles(): Promise<string[]> {
  const args = ["-C", repositoryRoot(), "ls-files", "-z", "--cached", "--others"];
  const { stdout } = await run("git", [...args, "--exclude-standard", "--deduplicate"], {
    maxBuffer: 16 << 20,
  });
  return stdout.split("\0").filter((file) => file !== "");
}

/**
 * Copies the links in a folder of dependencies. Those to packages of the workspace are relative, so
 * in the copy they name its own; what was installed is shared.
 */
async function copyLinks(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (entry.name === ".pnpm") await symlink(source, target);
    else if (entry.name.startsWith("@")) await copyLinks(source, target);
  }
}

/** Copies this checkout into a folder of its own, which goes with the disposal. */
export async function copyCheckout(): Promise<CheckoutCopy> {
  const root = await mkdtemp(join(tmpdir(), "rollcast-mutants-"));
  const dispose = () => rm(root, { recursive: true, force: true });
  try {
    const packages = new Set([""]);
    for (const file of await listFiles()) {
      if (file.endsWith("/package.json")) packages.add(dirname(file));
      await mkdir(dirname(join(root, file)), { recursive: true });
      // One that is deleted and not committed is still listed.
      await copyFile(join(repositoryRoot(), file), join(root, file)).catch(ignoreMissing);
    }
    for (const dir of packages) {
      const modules = join(dir, "node_modules");
      await copyLinks(join(repositoryRoot(), modules), join(root, modules)).catch(ignoreMissing);
    }
  } catch (err) {
    await dispose();
    throw err;
  }
  return { root, [Symbol.asyncDispose]: dispose };
}

function ignoreMissing(err: unknown): void {
  if (!(err instanceof Error && "code" in err && err.code === "ENOENT")) throw err;
}
