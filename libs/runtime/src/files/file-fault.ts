import { statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { getSystemErrorMessage } from "node:util";
import { toError } from "@rollcast/shared/errors";

/** Why the system refused something, in its words: `no such file or directory (ENOENT)`. */
export function systemReason(thrown: unknown): string {
  const err = toError(thrown);
  if (!("code" in err) || typeof err.code !== "string") return err.message;
  const words =
    "errno" in err && typeof err.errno === "number" ? getSystemErrorMessage(err.errno) : undefined;
  return words === undefined ? err.code : `${words} (${err.code})`;
}

/**
 * Whom permission to a file is refused by: the file itself, or the first of its folders that does
 * not let through.
 */
export type Denial = {
  readonly path: string;
  /** `0600` */
  readonly mode: string;
  /** `1000:1000`, of the file or folder. */
  readonly owner: string;
  /** `65532:65532`, as this process runs. */
  readonly user: string;
};

/**
 * What keeps this process from `file` where `err` says that its permissions do; undefined for any
 * other error, and where users have no numbers.
 */
export function denialOf(err: unknown, file: string): Denial | undefined {
  const code = err instanceof Error && "code" in err ? err.code : undefined;
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  if ((code !== "EACCES" && code !== "EPERM") || uid === undefined) return undefined;
  for (let path = file; ; path = dirname(path)) {
    try {
      const stat = statSync(path);
      const mode = (stat.mode & 0o7777).toString(8).padStart(4, "0");
      return { path, mode, owner: `${stat.uid}:${stat.gid}`, user: `${uid}:${gid}` };
    } catch {
      if (path === dirname(path)) return undefined;
    }
  }
}

/**
 * Why `file` could not be read or written: the system's reason, and for a matter of permissions
 * whose file it is and who this process is. What is in the file is never part of it.
 */
export function fileFault(err: unknown, file: string): string {
  const reason = systemReason(err);
  const denial = denialOf(err, file);
  if (denial === undefined) return reason;
  const { path, mode, owner, user } = denial;
  const what = path === file ? "it" : path;
  return `${reason}: ${what} has mode ${mode} and belongs to ${owner}, this process runs as ${user}`;
}
