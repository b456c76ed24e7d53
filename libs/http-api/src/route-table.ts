import { unescape } from "node:querystring";
import type { ApiRoute } from "@rollcast/shared/api/route";

function paramsOf(match: RegExpExecArray | null | undefined): Record<string, string> {
  const groups = Object.entries(match?.groups ?? {});
  return Object.fromEntries(groups.map(([name, value]) => [name, unescape(value)]));
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
    const matches = patterns.filter(({ pattern }) => pattern.test(path));
    const match = matches.find(({ route }) => route.spec.method === method);
    const methods = matches.map(({ route }) => route.spec.method);
    return { route: match?.route, params: paramsOf(match?.pattern.exec(path)), methods };
  };
}
