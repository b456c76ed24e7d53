import type { z } from "zod";

/** Path parameters and queries are mappings of texts; a schema coerces where it wants more. */
type Texts = z.ZodObject | undefined;

/**
 * What a route takes and gives: the contract, without what it does. The OpenAPI document is made of
 * it.
 */
export type RouteSpec<
  P extends Texts = Texts,
  Q extends Texts = Texts,
  B extends z.ZodType | undefined = z.ZodType | undefined,
  R extends z.ZodType | undefined = z.ZodType | undefined,
> = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As OpenAPI writes it: `/v1/workloads/{kind}/{namespace}/{name}`. */
  readonly path: `/v1/${string}`;
  /** Its `operationId`. */
  readonly name: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Of the answer with `status` (default 200); without one the answer is 204 and empty. */
  readonly response?: R;
  readonly status?: 200 | 201 | 202;
};

type Parsed<T> = T extends z.ZodType ? z.infer<T> : undefined;

/** Who asks, as they say themselves; the token is what lets them in. */
export type Caller = { readonly actor: string | undefined; readonly signal: AbortSignal };

export type RouteInput<P, Q, B> = Caller & {
  readonly params: Parsed<P>;
  readonly query: Parsed<Q>;
  readonly body: Parsed<B>;
};

/** A route that is served. */
export type ApiRoute = {
  readonly spec: RouteSpec;
  readonly handle: (input: RouteInput<unknown, unknown, unknown>) => Promise<unknown>;
};

/** Keeps the types of a contract. */
export function defineRoute<
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
  R extends z.ZodType | undefined = undefined,
>(spec: RouteSpec<P, Q, B, R>): RouteSpec<P, Q, B, R> {
  return spec;
}

type Answer<R> = R extends z.ZodType ? z.input<R> : void;

/**
 * A contract and what does it. `handle` gets what the schemas made of the request, and throws
 * `ProblemError` where it cannot.
 */
export function serve<
  P extends z.ZodObject | undefined,
  Q extends z.ZodObject | undefined,
  B extends z.ZodType | undefined,
  R extends z.ZodType | undefined,
>(
  spec: RouteSpec<P, Q, B, R>,
  handle: (input: RouteInput<P, Q, B>) => Answer<R> | Promise<Answer<R>>,
): ApiRoute {
  return {
    spec,
    // The server parses with the schemas of this very spec before it calls.
    handle: async (input) => handle(input as RouteInput<P, Q, B>),
  };
}
