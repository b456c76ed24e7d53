import type { Source } from "./layers.ts";

/** A package of the workspace with the keys of its `exports`. */
export type ExportingPackage = {
  readonly name: string;
  readonly dir: string;
  readonly exports: readonly string[];
};

function isTest(file: string): boolean {
  return /\.test\.ts$|(^|\/)test\//.test(file);
}

/**
 * The exports that no file outside of their package imports. Tests count as outside, those of the
 * package itself too.
 */
export function unusedExports(
  packages: readonly ExportingPackage[],
  sources: readonly Source[],
): string[] {
  return packages.flatMap(({ name, dir, exports }) => {
    const outside = sources.filter(({ file }) => !file.startsWith(`${dir}/`) || isTest(file));
    const imported = new Set(outside.flatMap(({ imports }) => imports));
    return exports
      .map((key) => name + key.slice(1))
      .filter((specifier) => !imported.has(specifier));
  });
}
