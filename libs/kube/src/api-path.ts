/** The API path of an object of `kind`, or of the collection where `name` is left out. */
export function apiPath(
  kind: { readonly group: string; readonly version: string; readonly plural: string },
  namespace?: string,
  name?: string,
): string {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const inside = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const segment = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${inside}/${kind.plural}${segment}`;
}
