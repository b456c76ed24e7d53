/** The shape that keys are made for; undefined: for both. */
export type Shape = "services" | "all-in-one";

const USERS_OF_OTHERS: Readonly<Record<Shape, ReadonlySet<string>>> = {
  services: new Set(["all-in-one"]),
  "all-in-one": new Set(["watcher", "restarter", "notifier"]),
};

/** Files of a server, in the server's folder. */
const SERVER_FILE = /^(?:(nats)-(keys(?:-all-in-one)?\.conf)|(redis)-(.+\.sha256))$/;
const API_TOKEN = /^(restarter|notifier)-api-token$/;
const USER_FILE = /^(nats|redis)-([a-z-]+)(\.nk)?$/;

/**
 * Folder and name of a file. Each holder gets one folder: `watcher/nats.nk`, `restarter/redis`,
 * `nats/nats-keys.conf`, `redis/restarter.sha256`.
 */
export type Place = readonly [folder: string, file: string];

/** Where a file is, below the folder of all keys. */
export function placeOf(name: string, shape: Shape | undefined): Place {
  if (name === "installation-key") return [shape === "all-in-one" ? shape : "watcher", name];
  const [, service] = API_TOKEN.exec(name) ?? [];
  if (service !== undefined) {
    return shape === "all-in-one" ? [shape, name] : [service, "api-token"];
  }
  const [, nats, , redis, hash] = SERVER_FILE.exec(name) ?? [];
  if (nats !== undefined) return [nats, name];
  if (redis !== undefined && hash !== undefined) return [redis, hash];
  const [, server, user, suffix = ""] = USER_FILE.exec(name) ?? [];
  if (server === undefined || user === undefined) throw new Error(`${name} has no holder`);
  return [user, `${server}${suffix}`];
}

/** Whether the owner of this secret is part of the shape. */
export function isOfShape(name: string, shape: Shape | undefined): boolean {
  const [holder] = placeOf(name, shape);
  return shape === undefined || !USERS_OF_OTHERS[shape].has(holder);
}

/** Whether this is the token of an API. */
export function isApiToken(name: string): boolean {
  return API_TOKEN.test(name);
}

/**
 * Where else the token of an API is placed: with those who call it, and with no other service,
 * which could otherwise control this one.
 */
export function tokenCopies(name: string, shape: Shape | undefined): Place[] {
  const folders = shape === undefined ? ["operator", "all-in-one"] : ["operator"];
  return folders.map((folder) => [folder, name]);
}
