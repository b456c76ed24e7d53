/**
 * Draws docs/pictures from the JSON that the notifier sends: `node scripts/docs/cards.ts`. Needs
 * Chromium (`apt-get install chromium fonts-liberation fonts-noto-color-emoji`); set CHROMIUM where
 * the program has another name.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { slackPage, teamsPage } from "./cards-page.ts";
import { sampleBodies } from "./cards-samples.ts";

const WIDTH = 720;
const run = promisify(execFile);

async function chromium(dir: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(
    process.env.CHROMIUM ?? "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--hide-scrollbars",
      `--user-data-dir=${join(dir, "profile")}`,
      ...args,
    ],
    { maxBuffer: 64 * 1_048_576 },
  );
  return stdout;
}

/** Takes a screenshot that is exactly as high as the page. */
async function draw(dir: string, html: string, picture: string): Promise<void> {
  const file = join(dir, "page.html");
  await writeFile(file, html);
  const url = `file://${file}`;
  const dom = await chromium(dir, [`--window-size=${WIDTH},1200`, "--dump-dom", url]);
  const [, title = ""] = /<title>([^<]*)<\/title>/.exec(dom) ?? [];
  const height = Number(title);
  if (Number.isNaN(height)) throw new Error(`the page was not drawn: ${title}`);
  await chromium(dir, [`--window-size=${WIDTH},${height}`, `--screenshot=${picture}`, url]);
}

const dir = await mkdtemp(join(tmpdir(), "rollcast-cards-"));
try {
  const { slack, teams } = sampleBodies();
  const pictures = new URL("../../docs/pictures/", import.meta.url).pathname;
  await draw(dir, slackPage(slack), join(pictures, "slack.png"));
  await draw(dir, teamsPage(teams[0] ?? ""), join(pictures, "teams.png"));
} finally {
  await rm(dir, { recursive: true, force: true });
}
