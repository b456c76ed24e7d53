import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@rollcast/runtime/logger";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { connectKube } from "./client.ts";
import type { ConnectKubeOptions } from "./client.ts";
import { KubeError } from "./kube-error.ts";

const dir = mkdtempSync(join(tmpdir(), "rollcast-credentials-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

const logger = createLogger("test", "silent");

/** Why a request is not sent. */
async function faultOf(options: Omit<ConnectKubeOptions, "logger">): Promise<string> {
  await using client = await connectKube({ ...options, logger });
  const err: unknown = await client.request({ method: "GET", path: "/version" }).catch((e) => e);
  expect(err).toBeInstanceOf(KubeError);
  expect(err).toMatchObject({ status: 0, reason: "Credentials" });
  return (err as KubeError).message;
}

function kubeconfig(cluster: object, user: object): string {
  const path = join(dir, "config");
  const config = {
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1", ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

test.each([
  ["certificate-authority", 'cluster "c"'],
  ["client-certificate", 'user "u"'],
  ["client-key", 'user "u"'],
  ["tokenFile", 'user "u"'],
])("%s: a file that is missing is named with its reason", async (key, of) => {
  const parts = { [key]: "none" };
  const path = key === "certificate-authority" ? kubeconfig(parts, {}) : kubeconfig({}, parts);
  expect(await faultOf({ kubeconfig: path })).toContain(
    `${key} of ${of} in the kubeconfig ${path} cannot be read: ${join(dir, "none")}: no such file or directory (ENOENT); `,
  );
});

test("a credential plugin that is missing is named", async () => {
  const path = kubeconfig({}, { exec: { command: "no-such-plugin" } });
  expect(await faultOf({ kubeconfig: path })).toBe(
    `the credential plugin no-such-plugin of user "u" in the kubeconfig ${path} cannot be run: no such file or directory (ENOENT)`,
  );
});

test("what a credential plugin that fails wrote is not quoted", async () => {
  const args = ["-c", "echo s3cr3t >&2; exit 1"];
  const path = kubeconfig({}, { exec: { command: "sh", args } });
  expect(await faultOf({ kubeconfig: path })).toBe(
    `the credential plugin sh of user "u" in the kubeconfig ${path} failed`,
  );
});

test.each(["token", "ca.crt"])("a pod's %s that is missing is named", async (name) => {
  vi.stubEnv("KUBECONFIG", "");
  vi.stubEnv("KUBERNETES_SERVICE_HOST", "127.0.0.1");
  vi.stubEnv("KUBERNETES_SERVICE_PORT", "1");
  const serviceAccountDir = mkdtempSync(join(dir, "account-"));
  for (const file of ["token", "ca.crt"]) writeFileSync(join(serviceAccountDir, file), "x");
  await using client = await connectKube({ serviceAccountDir, logger });
  rmSync(join(serviceAccountDir, name));
  await expect(client.request({ method: "GET", path: "/version" })).rejects.toThrow(
    `the pod's service account: ${join(serviceAccountDir, name)} cannot be read: no such file or directory (ENOENT)`,
  );
});
