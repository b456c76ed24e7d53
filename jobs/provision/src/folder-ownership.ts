import { lchown, lstat } from "node:fs/promises";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "@rollcast/runtime/files/file-fault";

/** A folder and the numeric ids of its future owner. */
export type Ownership = { readonly uid: number; readonly gid: number; readonly folder: string };

/** Reads `UID:GID=FOLDER`. Throws {@link ConfigError}. */
export function parseOwnership(text: string): Ownership {
  const [, uid, gid, folder] = /^(\d{1,9}):(\d{1,9})=(.+)$/.exec(text) ?? [];
  if (folder === undefined) throw new ConfigError("--own must be like --own 1000:1000=/data");
  return { uid: Number(uid), gid: Number(gid), folder };
}

/**
 * Changes the owner of the folder but not of its content; returns false if nothing had to change.
 * Throws {@link ConfigError}.
 */
export async function changeOwner({ uid, gid, folder }: Ownership): Promise<boolean> {
  const fail = (err: unknown) => {
    const fault = fileFault(err, folder);
    throw new ConfigError(`${folder} cannot be given to ${uid}:${gid}: ${fault}`, { cause: err });
  };
  const stats = await lstat(folder).catch(fail);
  if (!stats.isDirectory()) {
    throw new ConfigError(`${folder} cannot be given to ${uid}:${gid}: it is no folder`);
  }
  if (stats.uid === uid && stats.gid === gid) return false;
  await lchown(folder, uid, gid).catch(fail);
  return true;
}
