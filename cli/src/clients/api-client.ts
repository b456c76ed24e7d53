import { hostname, userInfo } from "node:os";
import process from "node:process";
import type { z } from "zod";
import { Problem } from "@rollcast/shared/api/problem";
import type { RouteSpec } from "@rollcast/shared/api/route";
import { toError } from "@rollcast/shared/errors";
import { EXIT, CliError } from "../cli-error.ts";

/** An API that was found. */
export type ApiAccess = { readonly server: string; readonly token: string };

type In<T> = T extends z.ZodType ? z.input<T> : undefined;
type Out<T> = T extends z.ZodType ? z.infer<T> : undefined;

export type CallInput<P, Q, B> = {
  readonly params?: In<P>;
  readonly query?: In<Q>;
  readonly body?: In<B>;
};

const TIMEOUT_MS = 30_000;
const MAX_PAGES = 200;

/** In a container the user may have a number but no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

function actor(): string {
  const { ROLLCAST_ACTOR: actor } = process.env;
  const name = actor !== undefined && actor !== "" ? actor : `${userName()}@${hostname()}`;
  return name.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 128);
}

function urlOf(
  api: ApiAccess,
  spec: RouteSpec,
  input: CallInput<unknown, unknown, unknown>,
): string {
  const params = (input.params ?? {}) as Record<string, string>;
  const path = spec.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ""),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries((input.query ?? {}) as Record<string, unknown>)) {
    if (value !== undefined) query.set(name, String(value));
  }
  const search = query.size === 0 ? "" : `?${query.toString()}`;
  return `${api.server.replace(/\/$/, "")}${path}${search}`;
}

/** Why no answer came. A name with several addresses fails with an error for each. */
function reasonOf(err: unknown): string {
  if (!(err instanceof Error)) return "";
  if (err.name === "TimeoutError") return `no answer within ${TIMEOUT_MS / 1_000} s`;
  const { cause } = err;
  if (cause instanceof AggregateError)
    return cause.errors.map((error) => toError(error).message).join(", ");
  return cause instanceof Error ? cause.message : err.message;
}

async function send(url: string, api: ApiAccess, method: string, body: unknown): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${api.token}`,
        "x-rollcast-actor": actor(),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (err) {
    const reason = reasonOf(err);
    const hint = "check --server (or ROLLCAST_SERVER), and that the service has its API turned on";
    const message = `the API at ${api.server} cannot be reached${reason === "" ? "" : `: ${reason}`}`;
    throw new CliError(EXIT.unreachable, message, hint, { cause: err });
  }
}

async function errorOf(response: Response, server: string): Promise<CliError> {
  const problem = Problem.safeParse(await response.json().catch(() => undefined)).data;
  if (response.status === 401) {
    const hint = "give its token by --token-file, ROLLCAST_TOKEN_FILE or ROLLCAST_TOKEN";
    return new CliError(EXIT.unreachable, `the API at ${server} does not let you in`, hint);
  }
  if (problem === undefined) {
    const hint =
      "check --server: dead letters are asked of the notifier, all else of the restarter";
    return new CliError(EXIT.unreachable, `${server} answers ${response.status}`, hint);
  }
  const code = response.status === 503 ? EXIT.unreachable : EXIT.refused;
  return new CliError(code, problem.detail);
}

/** Calls a route and returns the validated answer. Throws {@link CliError}. */
export async function call<
  P extends z.ZodObject | undefined,
  Q extends z.ZodObject | undefined,
  B extends z.ZodType | undefined,
  R extends z.ZodType | undefined,
>(api: ApiAccess, spec: RouteSpec<P, Q, B, R>, input: CallInput<P, Q, B> = {}): Promise<Out<R>> {
  const response = await send(urlOf(api, spec, input), api, spec.method, input.body);
  if (!response.ok) throw await errorOf(response, api.server);
  if (spec.response === undefined) return undefined as Out<R>;
  const parsed = spec.response.safeParse(await response.json().catch(() => undefined));
  if (parsed.success) return parsed.data as Out<R>;
  const hint = "is the service of another version than this command?";
  throw new CliError(EXIT.refused, `${api.server} answers in a form that is not known`, hint);
}

/** Every entry of every page of a list. */
export async function callAll<Q extends z.ZodObject, T>(
  api: ApiAccess,
  spec: RouteSpec<undefined, Q, undefined, z.ZodType<{ items: T[]; next?: string }>>,
  query: Record<string, unknown> = {},
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const pageQuery = { ...query, limit: 500, cursor };
    const answer = await call(api, spec, { query: pageQuery as In<Q> });
    items.push(...answer.items);
    cursor = answer.next;
    if (cursor === undefined) break;
  }
  return items;
}
