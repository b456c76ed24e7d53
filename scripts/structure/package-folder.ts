const SINGLE = ["bench", "cli", "scripts"];
const GROUPS = ["libs", "services", "jobs", "examples"];

/** A glob for the folders of all packages. */
export const PACKAGES = `{${SINGLE.join(",")},{${GROUPS.join(",")}}/*}`;

const PACKAGE = new RegExp(`^(?:(?:${SINGLE.join("|")})|(?:${GROUPS.join("|")})/[^/]+)(?=/|$)`);

/** The folder of the package that a file lies in; undefined for a file in none, e.g. of `test/`. */
export function packageFolder(file: string): string | undefined {
  return PACKAGE.exec(file)?.[0];
}
