import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { dig } from "./object.ts";

/**
 * Users of kubeconfigs whose token is in a file (`tokenFile`, https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#AuthInfo), which the client library
 * does not read: name -> absolute path. A file that cannot be read has none; the library has said so already.
 */
export function tokenFilesOf(kubeconfigs: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of kubeconfigs) {
    for (const entry of usersIn(file)) {
      const name = dig(entry, "name");
      const path = dig(entry, "user", "tokenFile");
      if (typeof name !== "string" || typeof path !== "string" || found.has(name)) continue;
      // A token beside it is the older of the two, so it counts only where there is no file.
      found.set(name, resolve(dirname(file), path));
    }
  }
  return found;
}

function usersIn(file: string): unknown[] {
  try {
    const users = dig(parse(readFileSync(file, "utf8")), "users");
    return Array.isArray(users) ? users : [];
  } catch {
    return [];
  }
}
