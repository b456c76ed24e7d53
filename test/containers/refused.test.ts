import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { edit } from "./checkout.ts";
import { openProject } from "./project.ts";
import type { Project } from "./project.ts";

const isRoot = process.getuid?.() === 0;

function kubeconfig(server: string, user: object = { token: "a-token-of-the-test" }): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    "current-context": "c",
  });
}

const FAR = "https://203.0.113.1:6443";
const OWN_USER = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;

const stack = new AsyncDisposableStack();
let project: Project;
let file: string;

beforeAll(async () => {
  project = stack.use(await openProject());
  const dir = join(project.dir, "kube");
  await mkdir(dir);
  file = join(dir, "config");
  await project.compose("build");
});
afterAll(() => stack.disposeAsync());

/** Starts as a user would; what it prints, and what the containers say. */
async function refused(env: Readonly<Record<string, string>>): Promise<string> {
  const up = await project.sh("docker compose up --detach", env);
  const logs = await project.sh("docker compose logs --no-log-prefix preflight", env);
  const running = await project.sh("docker compose ps --services --status running", env);
  await project.sh("docker compose down --timeout 5", env);
  expect(up.code, `up --detach: ${up.output}`).not.toBe(0);
  expect(running.stdout).not.toMatch(/watcher|restarter|notifier/);
  return `${up.output}\n${logs.output}`;
}

describe("what no service could use is refused before any starts, and up ends with an error", () => {
  test("a kubeconfig at mode 0600 of somebody else, with the cure", async (context) => {
    context.skip(!isRoot, "only root can give a file to somebody else");
    await writeFile(file, kubeconfig(FAR));
    await chmod(file, 0o600);
    await chown(file, 12_345, 12_345);
    const output = await refused({ ROLLCAST_KUBECONFIG: file });
    expect(output).toContain("/etc/rollcast/own/kube/config");
    expect(output).toMatch(/EACCES|permission denied/);
    expect(output).toContain("ROLLCAST_USER");
    await chown(file, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  });

  test("a kubeconfig that is not there; none is made in its place", async () => {
    const missing = join(project.dir, "kube", "missing");
    const output = await refused({ ROLLCAST_KUBECONFIG: missing, ROLLCAST_USER: OWN_USER });
    expect(output).toMatch(/bind source path does not exist|no such file/);
    expect(output).toContain(missing);
    await expect(readFile(missing)).rejects.toThrow(/ENOENT/);
  });

  test("no kubeconfig at all", async () => {
    expect(await refused({})).toMatch(/ROLLCAST_KUBECONFIG/);
  });

  test.each([
    ["an address of the container itself", "https://127.0.0.1:6443", {}, /127\.0\.0\.1/],
    [
      "files that only the host has",
      FAR,
      { "client-certificate": "/home/me/client.crt", "client-key": "/home/me/client.key" },
      /\/home\/me\/client\.crt[^]*--flatten/,
    ],
    [
      "a credential plugin",
      FAR,
      { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "aws" } },
      /aws/,
    ],
  ] as const)("a kubeconfig with %s", async (_what, server, user, why) => {
    await writeFile(file, kubeconfig(server, Object.keys(user).length === 0 ? undefined : user));
    expect(await refused({ ROLLCAST_KUBECONFIG: file, ROLLCAST_USER: OWN_USER })).toMatch(why);
  });

  test("a configuration with faults, each by its name", async () => {
    await writeFile(file, kubeconfig(FAR));
    const config = "deploy/compose/config/rollcast.yaml";
    const before = await readFile(join(project.dir, config), "utf8");
    await edit(
      project.dir,
      config,
      "cluster: local\n",
      "cluster: local\nmoode: active\nqueues: [{ name: default, window: soon }]\n",
    );
    const output = await refused({ ROLLCAST_KUBECONFIG: file, ROLLCAST_USER: OWN_USER });
    expect(output).toContain("moode");
    expect(output).toContain("window");
    await writeFile(join(project.dir, config), before);
  });

  test("a cluster that NATS and Redis are not set up for, with the variable to set", async () => {
    await writeFile(file, kubeconfig(FAR));
    const config = "deploy/compose/config/rollcast.yaml";
    await edit(project.dir, config, "cluster: local\n", "cluster: prod-eu1\n");
    const output = await refused({ ROLLCAST_KUBECONFIG: file, ROLLCAST_USER: OWN_USER });
    expect(output).toContain("ROLLCAST_CLUSTER");
    expect(output).toContain("prod-eu1");
    await edit(project.dir, config, "cluster: prod-eu1\n", "cluster: local\n");
  });

  test("a folder of the configuration that is not there", async () => {
    const env = {
      ROLLCAST_KUBECONFIG: file,
      ROLLCAST_CONFIG_DIR: "./nowhere",
      ROLLCAST_USER: OWN_USER,
    };
    expect(await refused(env)).toMatch(/nowhere/);
  });
});
