import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { z } from "zod";

// Writes docs/cli-transcript.md: the output of each command of test/cli.test.ts on the real stack,
// 80 columns wide.
const HEAD = `# Transcript of \`rollcast\`

Made by \`node scripts/docs/cli-transcript.ts\` from a run of \`test/cli.test.ts\` on real servers; the
commands are explained in [cli.md](cli.md).
`;
const Line = z.tuple([z.string(), z.string()]);

const dir = await mkdtemp(join(tmpdir(), "rollcast-transcript-"));
const file = join(dir, "runs");
try {
  const vitest = join(repositoryRoot(), "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--project", "integration", "test/cli.test.ts"];
  const child = spawn(process.execPath, args, {
    cwd: repositoryRoot(),
    env: { ...process.env, ROLLCAST_TRANSCRIPT: file },
    stdio: "inherit",
  });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error("the tests of the command fail: nothing is written");
  const runs = (await readFile(file, "utf8")).trim().split("\n");
  const blocks = runs
    .map((run) => Line.parse(JSON.parse(run)))
    .map(([command, output]) => `\`\`\`console\n${command}\n${output.trimEnd()}\n\`\`\`\n`);
  const text = [HEAD, ...new Set(blocks)].join("\n");
  await writeFile(join(repositoryRoot(), "docs", "cli-transcript.md"), text);
} finally {
  await rm(dir, { recursive: true, force: true });
}
