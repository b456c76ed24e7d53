/** What happens to a request that a rule matches, instead of being passed on. */
export type Fault =
  /** Answered by the proxy itself, as the API server would; `retryAfter` in seconds. */
  | {
      readonly do: "answer";
      readonly status: number;
      readonly retryAfter?: number;
      readonly message?: string;
    }
  /**
   * The connection is closed hard: before the request is passed on, or (`late`) after the API
   * server carried it out.
   */
  | { readonly do: "reset"; readonly late?: boolean }
  /**
   * Nothing is answered; of an answer under way, nothing more is passed on until the rule is gone,
   * and then all of it. With `late` the API server carries a new request out, and of its answer
   * only the headers come.
   */
  | { readonly do: "stall"; readonly late?: boolean }
  /**
   * A line that is no JSON is put into the answer's stream: at its start, or of a watch under way
   * at once.
   */
  | { readonly do: "garble" }
  /**
   * The watch gets the API server's ERROR event 410 "Expired", and ends.
   * https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses
   */
  | { readonly do: "expire" }
  /** The connection is closed after so many bytes of the answer's body. */
  | { readonly do: "truncate"; readonly bytes: number }
  | { readonly do: "delay"; readonly ms: number }
  /** The request is passed on when `until` is fulfilled. */
  | { readonly do: "hold"; readonly until: Promise<unknown> };

export type Rule = {
  readonly method?: string;
  /** Of path and query. */
  readonly path?: RegExp;
  readonly fault: Fault;
  /** Only the first so many requests that match; default all. */
  readonly times?: number;
  /** Only this part of them, 0 to 1; default all. */
  readonly share?: number;
};

export type RuleBook = {
  /** The fault for a new request; counts as one of the rule's `times`. */
  spend(method: string, target: string): Fault | undefined;
  /** The fault for an answer under way; counts for nothing. */
  look(method: string, target: string): Fault | undefined;
};

/** Rules in order, the first that matches holds. `random` gives 0 to 1, for `share`. */
export function openRules(rules: readonly Rule[], random: () => number = Math.random): RuleBook {
  const entries = rules.map((rule) => ({ rule, left: rule.times ?? Number.POSITIVE_INFINITY }));
  const find = (method: string, target: string) =>
    entries.find(
      ({ rule, left }) =>
        (rule.method === undefined || rule.method === method) &&
        (rule.path === undefined || rule.path.test(target)) &&
        left > 0 &&
        (rule.share === undefined || random() < rule.share),
    );
  return {
    look: (method, target) => find(method, target)?.rule.fault,
    spend(method, target) {
      const entry = find(method, target);
      if (entry !== undefined) entry.left--;
      return entry?.rule.fault;
    },
  };
}

const REASONS: Readonly<Record<number, string>> = {
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  429: "TooManyRequests",
  503: "ServiceUnavailable",
};

/** A Kubernetes `Status` of a failure. */
export function failure(status: number, message: string): string {
  const reason = REASONS[status] ?? "InternalError";
  return JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    message,
    reason,
    code: status,
  });
}

/** The line with which the API server ends a watch whose version it no longer has. */
export function expiredEvent(): string {
  return `{"type":"ERROR","object":${failure(410, "too old resource version: injected")}}\n`;
}
