import { execFile } from "node:child_process";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { repositoryRoot } from "@rollcast/testkit/binaries";

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/**
 * Adds what was run to the file that ROLLCAST_TRANSCRIPT names, for scripts/docs/cli-transcript.ts.
 */
async function record(args: readonly string[], { code, out, err }: Ran): Promise<void> {
  const { ROLLCAST_TRANSCRIPT: file } = process.env;
  if (file === undefined || file === "" || args.includes("json")) return;
  const words = args.map((arg) => (/^[\w./:,=@-]+$/.test(arg) ? arg : `'${arg}'`));
  const exit = code === 0 ? "" : `[exit code ${code}]\n`;
  await appendFile(
    file,
    `${JSON.stringify([`$ rollcast ${words.join(" ")}`, `${out}${err}${exit}`])}\n`,
  );
}

/** Runs the command `rollcast` as people do, 80 columns wide; what it wrote, and its exit code. */
export function rollcast(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const main = join(repositoryRoot(), "cli", "src", "main.ts");
  const { PATH, HOME } = process.env;
  const options = {
    env: { PATH, HOME, COLUMNS: "80", NO_COLOR: "1", ...env },
    timeout: 60_000,
    maxBuffer: 16 * 1_048_576,
  };
  return new Promise<Ran>((resolve) => {
    execFile(process.execPath, [main, ...args], options, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 128;
      resolve({ code, out, err });
    });
  }).then(async (ran) => {
    await record(args, ran);
    return ran;
  });
}
