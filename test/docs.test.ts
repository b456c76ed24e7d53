import { access, readFile, readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { parseConfig } from "@rollcast/runtime/config/load";
import { Config } from "@rollcast/shared/config/schema";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { describe, expect, test } from "vitest";
import { parseAllDocuments, stringify } from "yaml";

const ROOT = repositoryRoot();

type Block = { readonly language: string; readonly text: string };

async function markdownFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true });
  return entries.filter((name) => name.endsWith(".md")).map((name) => join(dir, name));
}

function blocks(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));
}

/** Links to files of the repository, with their anchors. */
function links(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```.*?^```$/gms, "").replaceAll(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}

/** Programs that a reader is told to run: each is a tool that everybody knows, or ours. */
const PROGRAMS = new Set(
  "cat cd curl docker export git go grep helm jq kubectl mkdir nats nk node npm npx openssl pnpm printf promtool redis-cli rollcast tar umask".split(
    " ",
  ),
);

function commands(console: string): string[] {
  return console
    .split("\n")
    .filter((line) => line.startsWith("$ "))
    .flatMap((line) => line.slice(2).split(/(?:&&|\||;)(?=\s)/))
    .map((command) => command.trim().replace(/^(?:[A-Z_]+=\S*\s+)+/, ""))
    .map((command) => command.split(/\s/, 1)[0] ?? "");
}

const HEAD = { apiVersion: "rollcast.dev/v1", kind: "Config", cluster: "docs" };

/**
 * Configuration, whole or a part of it, must be one that the services take; everything else must be
 * YAML.
 */
function checkYaml(file: string, text: string): void {
  for (const document of parseAllDocuments(text)) {
    expect(document.errors, file).toEqual([]);
    const value = document.toJS() as Record<string, unknown> | null;
    const keys = Object.keys(value ?? {});
    const part = keys.length > 0 && keys.every((key) => key in Config.shape);
    if (!part) continue;
    expect(() => parseConfig(stringify({ ...HEAD, ...value }), file)).not.toThrow();
  }
}

const pages = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map((name) => join(ROOT, name)),
  ...(await markdownFiles(join(ROOT, "docs"))),
];

describe.each(pages.map((file) => [relative(ROOT, file), file] as const))("%s", (name, file) => {
  test("every block of code is what it says", async () => {
    for (const { language, text } of blocks(await readFile(file, "utf8"))) {
      expect(["", "console", "yaml", "json", "text", "ts", "sh"], name).toContain(language);
      if (language === "yaml") checkYaml(name, text);
      if (language === "json") expect(() => JSON.parse(text) as unknown, name).not.toThrow();
      if (language === "console") {
        const programs = commands(text);
        expect(programs.length, `${name}: a console block without a command`).toBeGreaterThan(0);
        expect(programs.filter((program) => !PROGRAMS.has(program))).toEqual([]);
      }
    }
  });

  test("every link leads to a file and a heading that are there", async () => {
    for (const link of links(await readFile(file, "utf8"))) {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? file : join(dirname(file), path);
      await access(target);
      if (anchor === undefined || !target.endsWith(".md")) continue;
      expect(anchors(await readFile(target, "utf8")), link).toContain(anchor);
    }
  });
});
