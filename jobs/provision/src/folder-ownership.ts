import { lchown, lstat } from "node:fs/promises";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "@rollcast/runtime/files/file-fault";

/** A folder and whose it is to be, by numbers. */
export type Ownership = { readonly uid: number; readonly gid: number; readonly folder: string };

/** Reads `UID:GID=FOLDER`. Throws {@link ConfigError}. */
export function parseOwnership(text: string): Ownership {
  const [, uid, gid, folder] = /^(\d{1,9}):(\d{1,9})=(.+)$/.exec(text) ?? [];
  if (folder === undefined) throw new ConfigError("--own must be like --own 1000:1000=/data");
  return { uid: Number(uid), gid: Number(gid), folder };
}

/** Gives the folder, and nothing in it, to its user; false where it is his. Throws {@link ConfigError}. */
export async function own({ uid, gid, folder }: Ownership): Promise<boolean> {
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
