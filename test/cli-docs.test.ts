import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { objectsIn } from "@rollcast/testkit/helm";
import { expect, test } from "vitest";
import { usersFile } from "@rollcast/testkit/harness/shipped-users";

/** Keys of the Secret that the keys step makes. */
async function secretKeys(): Promise<string[]> {
  const main = join(repositoryRoot(), "jobs", "provision", "src", "keys.ts");
  const command = [main, "--secret", "rollcast-credentials", "--print"];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  return Object.keys((JSON.parse(stdout) as { stringData: object }).stringData);
}

const read = (...path: string[]) => readFile(join(repositoryRoot(), ...path), "utf8");

test("docs/cli.md names the Secret, its key and the Service that an installation has", async () => {
  const page = await read("docs", "cli.md");
  const text = await read("deploy", "install.yaml");
  const [, namespace, secret = "", key = ""] =
    /-n (\S+) get secret (\S+) .*index \.data "(.+?)"/.exec(page) ?? [];
  expect(await secretKeys()).toContain(key);
  expect(text).toContain(`--secret, ${secret}]`);

  const [, service, port] = /port-forward service\/(\S+) (\d+)/.exec(page) ?? [];
  const object = objectsIn(text).find(
    ({ kind, metadata }) => kind === "Service" && metadata.name === service,
  );
  expect(object?.metadata.namespace).toBe(namespace);
  expect(object?.spec).toMatchObject({ ports: [{ port: Number(port) }] });
});

test("no pod mounts the seed of an operator", async () => {
  expect(await read("deploy", "install.yaml")).not.toContain("nats-operator.nk");
});

test("docs/events.md names what a subscriber needs as it is shipped", async () => {
  const page = await read("docs", "events.md");
  const users = await usersFile("nats-users.conf", "services");
  const [, seed = "", inbox] = /--nkey (\S+) --inbox-prefix (\S+)/.exec(page) ?? [];
  expect(await secretKeys()).toContain(seed);
  expect(users).toContain(`subscribe: ["rollcast.v1.CLUSTER.>", "${inbox}.>"]`);
  const subjects = [...page.matchAll(/'(rollcast\.v1\.[^']+)'/g)].map(([, subject]) => subject);
  expect(subjects.length).toBeGreaterThan(1);
  for (const subject of subjects) expect(subject).toMatch(/^rollcast\.v1\.prod-eu1\./);
});
