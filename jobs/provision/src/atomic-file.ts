import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "@rollcast/runtime/files/file-fault";

const PARTIAL = /^\..+\.[0-9a-f]{16}\.tmp$/;

function isCode(err: unknown, code: string): boolean {
  return err instanceof Error && "code" in err && err.code === code;
}

function failure(verb: string, path: string): (err: unknown) => never {
  return (err) => {
    throw new ConfigError(`${path} cannot be ${verb}: ${fileFault(err, path)}`, { cause: err });
  };
}

/** Reads a file; undefined if it does not exist. Throws {@link ConfigError}. */
export async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((err: unknown) =>
    isCode(err, "ENOENT") ? undefined : failure("read", path)(err),
  );
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((err: unknown) => {
    if (!isCode(err, "EEXIST")) failure("made", path)(err);
  });
}

/**
 * Creates the folder and its parent if they are missing, and removes partial files of a run that
 * was killed. Throws {@link ConfigError}.
 */
export async function prepareFolder(path: string): Promise<void> {
  await makeFolder(dirname(path));
  await makeFolder(path);
  const names = await readdir(path).catch(failure("read", path));
  for (const name of names.filter((name) => PARTIAL.test(name))) {
    await rm(join(path, name), { force: true }).catch(failure("removed", join(path, name)));
  }
}

/** Writes a complete, synced file beside `path` and lets `place` move it there. */
async function write(
  path: string,
  text: string,
  mode: number,
  place: (partial: string) => Promise<void>,
): Promise<void> {
  const name = path.slice(dirname(path).length + 1);
  const partial = join(dirname(path), `.${name}.${randomBytes(8).toString("hex")}.tmp`);
  try {
    const file = await open(partial, "wx", mode);
    try {
      await file.writeFile(text);
      // Regardless of the umask.
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(partial);
  } catch (err) {
    failure("written", path)(err);
  } finally {
    await rm(partial, { force: true }).catch(() => undefined);
  }
}

/**
 * Creates the file atomically; returns false if it exists, and leaves it unchanged. Throws {@link
 * ConfigError}.
 */
export async function createFile(path: string, text: string, mode: number): Promise<boolean> {
  let made = true;
  await write(path, text, mode, (partial) =>
    link(partial, path).catch((err: unknown) => {
      if (!isCode(err, "EEXIST")) throw err;
      made = false;
    }),
  );
  return made;
}

/** Creates or replaces the file atomically. Throws {@link ConfigError}. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  await write(path, text, mode, (partial) => rename(partial, path));
}
