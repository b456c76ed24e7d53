import { basename } from "node:path";

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
