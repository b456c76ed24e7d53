import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "@rollcast/shared/api/problem";
import type { Service } from "@rollcast/testkit/services";
import type { Stack } from "./stack.ts";

/** A token in a file, and the configuration of an API that asks for it on a free port. */
export async function apiToken({ dir }: Stack) {
  const token = randomBytes(24).toString("base64url");
  const tokenFile = join(dir, "token");
  await writeFile(tokenFile, token);
  return { token, config: { listen: "127.0.0.1:0", tokenFile } };
}

/** Where a service's API listens. */
export async function apiUrl(service: Service): Promise<string> {
  const line = await service.waitLog((entry) => entry.msg === "api listening");
  return `http://127.0.0.1:${String(line.port)}`;
}

/** Calls the API; what it answers, or the problem it returns. */
export function apiClient(url: string, token: string) {
  return async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        "x-rollcast-actor": "ann@test",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = response.status === 204 ? undefined : await response.json();
    return (response.ok ? answer : { problem: Problem.parse(answer) }) as T;
  };
}
