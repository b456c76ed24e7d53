// A vitest reporter for what its JSON report omits: uncaught errors, which fail a run although
// every test passed.
import { writeFileSync } from "node:fs";
import process from "node:process";

/** The environment variable that names the file to write. */
export const UNCAUGHT_FILE = "ROLLCAST_UNCAUGHT_FILE";

export default class UncaughtReporter {
  /**
   * @param {unknown} _modules
   * @param {readonly import("./troubles.mjs").Uncaught[]} errors
   */
  onTestRunEnd(_modules, errors) {
    const file = process.env[UNCAUGHT_FILE];
    if (file !== undefined) writeFileSync(file, JSON.stringify(errors));
  }
}
