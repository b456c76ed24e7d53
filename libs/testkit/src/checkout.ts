import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "./binaries.ts";

const run = promisify(execFile);

/** A commit in a folder of its own, with its dependencies. */
export type Checkout = AsyncDisposable & { readonly root: string; readonly commit: string };

async function git(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("git", ["-C", repositoryRoot(), ...args]);
  return stdout.trim();
}

/** The commit that a revision names, shortened. Throws where it names none. */
export async function commitOf(revision: string): Promise<string> {
  return git("rev-parse", "--verify", "--short", "--end-of-options", `${revision}^{commit}`);
}

/** Whether files differ from the commit that is checked out. */
export async function isChanged(): Promise<boolean> {
  return (await git("status", "--porcelain")) !== "";
}

/** Checks a revision out beside this one and installs what it needs. */
export async function checkOut(revision: string): Promise<Checkout> {
  const commit = await commitOf(revision);
  const dir = await mkdtemp(join(tmpdir(), "rollcast-checkout-"));
  const root = join(dir, commit);
  const dispose = async () => {
    await git("worktree", "remove", "--force", root).catch(() => undefined);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await git("worktree", "add", "--detach", root, commit);
    await run("pnpm", ["install", "--frozen-lockfile", "--prefer-offline"], {
      cwd: root,
      maxBuffer: 16 << 20,
    });
  } catch (err) {
    await dispose();
    throw new Error(`${revision} can't be checked out and installed`, { cause: err });
  }
  return { root, commit, [Symbol.asyncDispose]: dispose };
}
