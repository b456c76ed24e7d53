import { basename } from "node:path";
import { foldersOf, isOwn } from "./way.ts";
import type { Way } from "./way.ts";

const BEGIN = "<!-- ways: made by `npm run ways -- --write` -->";
const END = "<!-- end of ways -->";
const COLUMNS = 100;

/** Breaks a paragraph, or an item with its marker, so that it fits the page. */
function wrap(text: string): string {
  const indent = /^\d+\. /.exec(text)?.[0].replaceAll(/./g, " ") ?? "";
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined) lines.push(word);
    else if (line.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`${indent}${word}`);
  }
  return lines.join("\n");
}

const BESIDE = "For some changes also:";

function besideOf(files: readonly string[]): string {
  return `${BESIDE} ${files.map((file) => `\`${file}\``).join(", ")}.`;
}

function sectionOf(
  { service, title, files, sometimes }: Way,
  phraseOf: (file: string) => string,
): string {
  const own = files.filter(isOwn);
  const libs = files.filter((file) => !isOwn(file));
  const { folders, moves } = foldersOf(own);
  const counts = `${own.length} files of the ${service} in ${folders} folders, with ${moves} moves from one folder to another, and ${libs.length} of the libraries:`;
  const numbered = own.map((file, i) => {
    const phrase = phraseOf(file);
    return wrap(`${i + 1}. \`${file}\`${phrase === "" ? "" : `: ${phrase}`}`);
  });
  return [
    `### ${title}`,
    wrap(counts),
    numbered.join("\n"),
    "Of the libraries, in order of first use:",
    libs.map((file) => `- \`${file}\``).join("\n"),
    ...(sometimes.length === 0 ? [] : [wrap(besideOf(sometimes))]),
  ].join("\n\n");
}

/** The lists as Markdown. `phraseOf` says what a file is for, or nothing. */
export function blockOf(ways: readonly Way[], phraseOf: (file: string) => string): string {
  return ways.map((way) => sectionOf(way, phraseOf)).join("\n\n");
}

function marks(page: string): { readonly from: number; readonly to: number } {
  const [begin, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || to < begin) throw new Error(`the page lacks "${BEGIN}" and "${END}"`);
  return { from: begin + BEGIN.length, to };
}

/** The page with another block. Throws where it has no place for one. */
export function withBlock(page: string, block: string): string {
  const { from, to } = marks(page);
  return `${page.slice(0, from)}\n\n${block}\n\n${page.slice(to)}`;
}

/** What the page lists of a way. */
type Listed = Pick<Way, "files" | "sometimes">;

function listedIn(section: string): Listed {
  const [always = "", beside = ""] = section.split(BESIDE);
  const files = [...always.matchAll(/^(?:\d+\.|-) `([^`]+)`/gm)];
  const sometimes = [...beside.matchAll(/`([^`]+)`/g)];
  return {
    files: files.map(([, file = ""]) => file),
    sometimes: sometimes.map(([, file = ""]) => file),
  };
}

/** What the page lists, by the titles of the ways. Throws as {@link withBlock}. */
export function listedWays(page: string): Map<string, Listed> {
  const { from, to } = marks(page);
  const sections = page.slice(from, to).split(/^### /m).slice(1);
  return new Map(sections.map((section) => [section.split("\n")[0] ?? "", listedIn(section)]));
}

/**
 * How the page differs from what was measured, a line each. What races with the way runs for every
 * change here and for some there, so that it may stand in either list.
 */
export function staleness(page: string, ways: readonly Way[]): string[] {
  const listed = listedWays(page);
  return ways.flatMap(({ title, files, sometimes }) => {
    const onPage = listed.get(title) ?? { files: [], sometimes: [] };
    const anywhere = new Set([...onPage.files, ...onPage.sometimes]);
    const ever = new Set([...files, ...sometimes]);
    const missing = files.filter((file) => !anywhere.has(file));
    const gone = onPage.files.filter((file) => !ever.has(file));
    return [
      ...missing.map((file) => `${title}: ${file} is missing`),
      ...gone.map((file) => `${title}: ${file} does not run any more`),
    ];
  });
}

const DOCUMENTED =
  /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*export (?:async )?(?:function\*?|const|class|type) (\w+)/g;

function normalized(name: string): string {
  return name.replaceAll("-", "").toLowerCase();
}

/**
 * What a file is for: the beginning of the docstring of the export that it is named for. Empty
 * where that has none.
 */
export function phraseOf(file: string, source: string): string {
  const name = normalized(basename(file, ".ts"));
  const docstring = [...source.matchAll(DOCUMENTED)].find(([, , exported = ""]) =>
    normalized(exported).endsWith(name),
  )?.[1];
  const text = (docstring ?? "")
    .replaceAll(/^\s*\*? ?/gm, "")
    .replaceAll(/\{@link (\w+)\}/g, "`$1`")
    .replaceAll(/\s+/g, " ")
    .trim();
  return /^.*?(?=(?<!\be\.g)[.;:](?:\s|$)|$)/.exec(text)?.[0] ?? "";
}
