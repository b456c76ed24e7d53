import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { startProcess } from "@rollcast/testkit/process";
import { afterAll, expect, test } from "vitest";

const dir = mkdtempSync(join(tmpdir(), "rollcast-preflight-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const CONFIG = "apiVersion: rollcast.dev/v1\nkind: Config\ncluster: local\n";
const SERVER = { server: "https://api.example.com:6443" };

function kubeconfig(cluster: object, user: object): string {
  return JSON.stringify({
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user: { token: "s3cr3t", ...user } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  });
}

/** Runs the program on two files, either of which may be missing; returns its exit code and log. */
async function preflight(config: string | undefined, kube: string | undefined) {
  const files = { ROLLCAST_CONFIG: join(dir, "rollcast.yaml"), KUBECONFIG: join(dir, "kube") };
  for (const [path, text] of [
    [files.ROLLCAST_CONFIG, config],
    [files.KUBECONFIG, kube],
  ] as const) {
    rmSync(path, { force: true });
    if (text !== undefined) writeFileSync(path, text);
  }
  const logs: Record<string, unknown>[] = [];
  await using running = await startProcess(
    process.execPath,
    [join(import.meta.dirname, "preflight.ts")],
    { env: files, onLine: (line) => void logs.push(JSON.parse(line)) },
  );
  const code = await running.exited;
  expect(running.output()).not.toContain("s3cr3t");
  return { code, logs, ...files };
}

test("a usable configuration is reported in one line", async () => {
  const { code, logs } = await preflight(CONFIG, kubeconfig(SERVER, {}));
  expect(logs).toMatchObject([
    {
      level: "info",
      msg: "configuration and kubeconfig are usable",
      cluster: "local",
      mode: "active",
      context: "x",
      server: "https://api.example.com:6443",
    },
  ]);
  expect(code).toBe(0);
});

test("all faults are reported at once, each in a line", async () => {
  const cluster = { server: "https://127.0.0.1:6443", "certificate-authority": "/home/me/ca.crt" };
  const user = { exec: { command: "aws" } };
  const { code, logs, ...files } = await preflight(
    `${CONFIG}mode: passive\nlog: { level: loud }\n`,
    kubeconfig(cluster, user),
  );
  expect(code).toBe(1);
  const faults = logs.filter(({ msg }) => msg === "configuration fault").map(({ fault }) => fault);
  expect(faults).toEqual([
    `${files.ROLLCAST_CONFIG} is refused:`,
    "mode: must be active or observe",
    expect.stringMatching(/^log\.level: must be trace or /),
    expect.stringMatching(
      /^certificate-authority of cluster "c" .* \/home\/me\/ca\.crt: no such file .*--flatten/,
    ),
    expect.stringMatching(/^cluster "c" of .* is at 127\.0\.0\.1:6443, /),
    expect.stringMatching(/^user "u" of .* from the program aws, /),
  ]);
  const end = logs.at(-1);
  expect(end).toMatchObject({ level: "fatal", msg: "stopped by an error" });
  expect(end).toMatchObject({ err: { type: "ConfigError" } });
});

test("a missing file does not keep the other from being looked at", async () => {
  const { code, logs, KUBECONFIG } = await preflight(undefined, undefined);
  expect(code).toBe(1);
  expect(logs.map(({ fault }) => fault).slice(0, 2)).toEqual([
    expect.stringMatching(/rollcast\.yaml cannot be read: no such file or directory \(ENOENT\)/),
    `the kubeconfig ${KUBECONFIG} (KUBECONFIG) cannot be read: no such file or directory (ENOENT)`,
  ]);
});

test("a single fault is the error itself", async () => {
  const { code, logs } = await preflight(CONFIG, kubeconfig({ server: "https://localhost" }, {}));
  expect(code).toBe(1);
  expect(logs).toMatchObject([
    { msg: "stopped by an error", err: { message: expect.stringContaining("localhost:443") } },
  ]);
});
