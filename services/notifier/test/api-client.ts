import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Service } from "@rollcast/testkit/services";
import { hookReceiver } from "./harness.ts";
import type { NotifierHarness } from "./harness.ts";

export const TOKEN = "a-token-of-the-tests-1";

/** A notifier with its HTTP API, and a client for it. */
export type Api = {
  readonly service: Service;
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
};

export async function startApi(
  harness: NotifierHarness,
  options: { notifier?: object; env?: Readonly<Record<string, string>> } = {},
): Promise<Api> {
  const tokenFile = join(harness.dir, "token");
  await writeFile(tokenFile, `${TOKEN}\n`);
  const api = { listen: "127.0.0.1:0", tokenFile };
  const receivers = [hookReceiver(harness.hook)];
  const service = await harness.start({
    ...options,
    notifier: { receivers, ...options.notifier, api },
  });
  const { port } = await service.waitLog(({ msg }) => msg === "api listening");
  return {
    service,
    async call(method, path, body) {
      const response = await fetch(`http://127.0.0.1:${String(port)}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${TOKEN}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
    },
  };
}
