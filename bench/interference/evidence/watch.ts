import { readFileSync } from "node:fs";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Cluster } from "@rollcast/testkit/cluster";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { tokenOf } from "@rollcast/testkit/users";

export type WatchEvent<T> = { readonly type: string; readonly object: T };

/**
 * Calls `onEvent` for each event of a collection from now on, until disposal. A watch that the API
 * server ends goes on after the last version; what it cannot go on from is thrown at disposal,
 * because the history would have a gap.
 */
export async function watchCollection<T extends AnyObject>(
  { url, caFile, api }: Pick<Cluster, "url" | "caFile" | "api">,
  path: string,
  onEvent: (event: WatchEvent<T>) => void,
): Promise<AsyncDisposable> {
  const list = await api.get<AnyObject>(`${path}?limit=1`);
  let version = list.metadata.resourceVersion ?? "0";
  const stop = new AbortController();
  const ca = readFileSync(caFile);
  const headers = { authorization: `Bearer ${tokenOf("admin")}` };
  const watchOnce = async () => {
    const at = new URL(path, url);
    at.searchParams.set("watch", "true");
    at.searchParams.set("resourceVersion", version);
    const call = request(at, { ca, headers, agent: false, signal: stop.signal });
    call.end();
    const [response] = (await once(call, "response")) as [IncomingMessage];
    // Where it is cut the next one goes on.
    call.on("error", () => undefined);
    response.on("error", () => undefined);
    for await (const line of createInterface({ input: response })) {
      const event = JSON.parse(line) as WatchEvent<T>;
      if (event.type === "ERROR") throw new Error(`the watch of ${path} has a gap: ${line}`);
      version = event.object.metadata.resourceVersion ?? version;
      onEvent(event);
    }
  };
  const watching = (async () => {
    while (!stop.signal.aborted) await watchOnce();
  })().catch((err: unknown) => (stop.signal.aborted ? undefined : err));
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      const fault = await watching;
      if (fault !== undefined) throw fault;
    },
  };
}
