import { parseSync } from "oxc-parser";

/**
 * The specifiers of all imports and re-exports of a TypeScript source, those of types too, each
 * once. Throws where it is no TypeScript.
 */
export function importsOf(file: string, text: string): string[] {
  const { errors, module } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message ?? "cannot be parsed"}`);
  const statics = module.staticImports.map((statement) => statement.moduleRequest.value);
  const exported = module.staticExports
    .flatMap(({ entries }) => entries)
    .map((entry) => entry.moduleRequest?.value);
  const dynamics = module.dynamicImports
    .map(({ moduleRequest: { start, end } }) => text.slice(start, end))
    .map((literal) => /^["'](.*)["']$/.exec(literal)?.[1]);
  return [...new Set([...statics, ...exported, ...dynamics])].filter(
    (specifier) => specifier !== undefined,
  );
}
