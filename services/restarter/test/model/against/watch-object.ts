import { readFileSync } from "node:fs";
import { request } from "node:https";
import { createInterface } from "node:readline";
import type { AnyObject } from "@rollcast/testkit/test-api";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";
import { tokenOf } from "@rollcast/testkit/users";

export type WatchedVersion = {
  readonly type: string;
  readonly object: AnyObject;
  /** When it was seen, in milliseconds. */
  readonly seenAt: number;
};

export type ObjectWatch = Disposable & { readonly versions: readonly WatchedVersion[] };

/** Keeps every version of one object from a list's version on, as the API server orders them. */
export function watchObject(
  { url, caFile }: Pick<ClusterAccess, "url" | "caFile">,
  target: { readonly path: string; readonly name: string; readonly resourceVersion: string },
): ObjectWatch {
  const versions: WatchedVersion[] = [];
  const at = new URL(target.path, url);
  at.searchParams.set("watch", "true");
  at.searchParams.set("resourceVersion", target.resourceVersion);
  at.searchParams.set("fieldSelector", `metadata.name=${target.name}`);
  const headers = { authorization: `Bearer ${tokenOf("admin")}` };
  const call = request(at, { ca: readFileSync(caFile), headers, agent: false }, (response) => {
    const lines = createInterface({ input: response });
    lines.on("line", (line) => {
      const event = JSON.parse(line) as Omit<WatchedVersion, "seenAt">;
      versions.push({ ...event, seenAt: Date.now() });
    });
    lines.on("error", () => undefined);
  });
  // It is cut when it is disposed; whoever compares sees whether something is missing.
  call.on("error", () => undefined);
  call.end();
  return { versions, [Symbol.dispose]: () => void call.destroy() };
}
