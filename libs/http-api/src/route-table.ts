import { unescape } from "node:querystring";
import type { ApiRoute } from "@rollcast/shared/api/route";

function paramsOf(groups: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, unescape(value)]));
}

/**
 * Returns a lookup by method and path (without a query): the route, its path parameters, and all
 * methods of the path.
 */
export function createRouteTable(routes: readonly ApiRoute[]) {
  const patterns = routes.map((route) => ({
    route,
    pattern: new RegExp(`^${route.spec.path.replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`),
  }));
  return (method: string | undefined, path: string) => {
    const matches = patterns.flatMap(({ route, pattern }) => {
      const match = pattern.exec(path);
      return match === null ? [] : [{ route, groups: match.groups }];
    });
    const match = matches.find(({ route }) => route.spec.method === method);
    const methods = matches.map(({ route }) => route.spec.method);
    return { route: match?.route, params: paramsOf(match?.groups), methods };
  };
}
