import { Session } from "node:inspector";

/** V8's inspector, for the thread that asks. */
export type Inspector = {
  readonly session: Session;
  /** Asks and returns the answer. Throws where V8 refuses. */
  ask<T>(method: string, params?: object): T;
};

export function openInspector(): Inspector {
  const session = new Session();
  session.connect();
  return {
    session,
    // For its own thread, V8 has called back when `post` returns.
    ask<T>(method: string, params: object = {}): T {
      let answer: { readonly err: Error | null; readonly result?: object } | undefined;
      session.post(method, params, (err, result) => {
        answer = { err, result };
      });
      if (answer === undefined) throw new Error(`${method} was not answered at once`);
      if (answer.err !== null) throw new Error(`${method}: ${JSON.stringify(answer.err)}`);
      return answer.result as T;
    },
  };
}
