import { posix } from "node:path";
import { packageFolder } from "./package-folder.ts";

/**
 * Rows of folders and files, the lowest first: an import goes from a row to a lower one, never
 * sideways or up. `.` is what lies in the folder itself and is not named.
 */
type Rows = readonly (readonly string[])[];

/** `layers.json`. Paths are relative to the root. */
export type Layers = {
  readonly packages: Rows;
  /** Packages that must not know each other though their rows would let them. */
  readonly apart: readonly { readonly from: string; readonly to: string }[];
  /**
   * Who may import a third-party package, by its name or `@scope/*`; a package that is named is
   * exempt from its scope's entry.
   */
  readonly clients: Readonly<Record<string, readonly string[]>>;
  /** The rows inside of a package, by the folder that they lie in. */
  readonly folders: Readonly<Record<string, Rows>>;
};

/** A source and the specifiers that it imports, types too. */
export type Source = { readonly file: string; readonly imports: readonly string[] };

/** A package of the workspace: its name and its folder. */
export type Workspace = ReadonlyMap<string, string>;

function isIn(file: string, place: string): boolean {
  return file === place || file.startsWith(`${place}/`);
}

function rowOf(rows: Rows, name: string): number {
  return rows.findIndex((row) => row.includes(name));
}

/** The name in `rows` under which a file of `folder` is found: its folder, or itself, or `.`. */
function placeIn(rows: Rows, folder: string, file: string): string {
  const [first = "", ...rest] = file.slice(folder.length + 1).split("/");
  if (rest.length > 0 || rowOf(rows, first) !== -1) return first;
  return ".";
}

function arrowFault(rows: Rows, from: string, to: string): string | undefined {
  if (from === to) return undefined;
  const [here, there] = [rowOf(rows, from), rowOf(rows, to)];
  if (here === -1) return `${from} stands in no row`;
  if (there === -1) return `${to} stands in no row`;
  return there < here ? undefined : `${from} is not above ${to}`;
}

/**
 * The file in the workspace that `specifier` names, or the folder of its package; undefined for a
 * third party's.
 */
function targetOf(workspace: Workspace, file: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return posix.join(posix.dirname(file), specifier);
  const name = specifier.split("/").slice(0, 2).join("/");
  return workspace.get(name);
}

function clientFault({ clients }: Layers, file: string, specifier: string): string | undefined {
  const exact = Object.keys(clients).find((client) => isIn(specifier, client));
  const client = exact ?? `${specifier.split("/")[0]}/*`;
  const places = clients[client];
  if (places === undefined || places.some((place) => isIn(file, place))) return undefined;
  return `only ${places.join(" and ")} may import it`;
}

function faultOf(layers: Layers, workspace: Workspace, file: string, specifier: string) {
  const target = targetOf(workspace, file, specifier);
  if (target === undefined) return clientFault(layers, file, specifier);
  const from = packageFolder(file);
  const to = packageFolder(target);
  if (from === undefined || to === undefined) return "it lies in no package";
  if (from !== to) {
    if (layers.apart.some((pair) => pair.from === from && pair.to === to)) {
      return `${from} must not know ${to}`;
    }
    return arrowFault(layers.packages, from, to);
  }
  const folder = Object.keys(layers.folders).find((folderName) => isIn(file, folderName));
  if (folder === undefined || !isIn(target, folder)) return undefined;
  const rows = layers.folders[folder] ?? [];
  return arrowFault(rows, placeIn(rows, folder, file), placeIn(rows, folder, target));
}

/** The folder of a package's sources: `src`, or the package itself where it has none. */
function sourceFolder(file: string): string {
  const folder = packageFolder(file) ?? "";
  return isIn(file, `${folder}/src`) ? `${folder}/src` : folder;
}

/**
 * Packages whose sources lie in two or more folders must have rows, which say what is above what.
 */
function unlisted({ folders }: Layers, sources: readonly Source[]): string[] {
  const inside = new Map<string, Set<string>>();
  for (const { file } of sources) {
    const top = sourceFolder(file);
    const [first = "", ...rest] = file.slice(top.length + 1).split("/");
    inside.set(top, (inside.get(top) ?? new Set()).add(rest.length > 0 ? first : "."));
  }
  return [...inside]
    .filter(([top, names]) => names.size > 1 && folders[top] === undefined)
    .map(([top]) => `${top}: its folders stand in no rows`);
}

/** What `faultFor` says of each import of the sources, a line each: what imports what, why not. */
function importFaults(
  sources: readonly Source[],
  faultFor: (file: string, specifier: string) => string | undefined,
): string[] {
  return sources.flatMap(({ file, imports }) =>
    imports.flatMap((specifier) => {
      const fault = faultFor(file, specifier);
      return fault === undefined ? [] : [`${file} imports ${specifier}: ${fault}`];
    }),
  );
}

/** Every import of a third party's package that another package wraps, a line each. */
export function clientFaults(layers: Layers, sources: readonly Source[]): string[] {
  return importFaults(sources, (file, specifier) => clientFault(layers, file, specifier));
}

/** Every import that `layers` forbids, a line each: what imports what, and why not. */
export function layerFaults(
  layers: Layers,
  workspace: Workspace,
  sources: readonly Source[],
): string[] {
  const faults = importFaults(sources, (file, specifier) =>
    faultOf(layers, workspace, file, specifier),
  );
  return [...faults, ...unlisted(layers, sources)];
}
