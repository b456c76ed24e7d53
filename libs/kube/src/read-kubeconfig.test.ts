import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { ConfigError } from "@rollcast/shared/errors";
import { afterAll, expect, test } from "vitest";
import { readKubeconfig, unreadableReferences } from "./read-kubeconfig.ts";

const dir = mkdtempSync(join(tmpdir(), "rollcast-kubeconfig-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Parts = { readonly [key: string]: unknown; readonly cluster?: object; readonly user?: object };

/** A kubeconfig with one context `x`, `rest` put over it. */
function kubeconfig({ cluster = {}, user = {}, ...rest }: Parts = {}): string {
  return JSON.stringify({
    clusters: [{ name: "c", cluster: { server: "https://api.example.com", ...cluster } }],
    users: [{ name: "u", user: { token: "s3cr3t", ...user } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
    ...rest,
  });
}

let count = 0;
function file(text: string): string {
  const path = join(dir, `config-${++count}`);
  writeFileSync(path, text);
  return path;
}

function faultOf(options: Parameters<typeof readKubeconfig>[0], env = {}): string {
  try {
    readKubeconfig(options, env);
  } catch (err) {
    expect(err).toBeInstanceOf(ConfigError);
    return String(err).replace(/^ConfigError: /, "");
  }
  return "none";
}

test.each([
  ["is empty", "", "is empty"],
  ["holds comments only", "# nothing\n", "is empty"],
  ["is no mapping", "- s3cr3t\n", "must be a mapping with clusters, users and contexts"],
  ["is text", "s3cr3t", "must be a mapping with clusters, users and contexts"],
  ["is not YAML", 'a: "s3cr3t', 'is not valid YAML: Missing closing "quote at line 1, column 11'],
  ["has a strange tag", "token: !s3cr3t a: b", /is not valid YAML: .* at line 1, column \d+$/],
  ["has an alias of nothing", "a: *s3cr3t", /is not valid YAML: Unresolved alias/],
  [
    "has no current-context",
    kubeconfig({ "current-context": "" }),
    "has no current-context: it has x; kubectl config use-context NAME chooses one",
  ],
  [
    "has contexts of none",
    kubeconfig({ contexts: "s3cr3t", "current-context": null }),
    "has no current-context: it has none; kubectl config use-context NAME chooses one",
  ],
  ["lacks its context", kubeconfig({ "current-context": "y" }), 'has no context "y": it has x'],
])("a kubeconfig that %s is refused by its name", (_, text, fault) => {
  const path = file(text);
  const message = faultOf({ kubeconfig: path });
  expect(message.startsWith(`the kubeconfig ${path} `)).toBe(true);
  const rest = message.slice(`the kubeconfig ${path} `.length);
  if (typeof fault === "string") expect(rest).toBe(fault);
  else expect(rest).toMatch(fault);
  expect(message).not.toContain("s3cr3t");
});

test.each([
  [
    "a cluster that is missing",
    { clusters: [] },
    'context "x" of the kubeconfig FILE names the cluster "c", which is not there: it has none',
  ],
  [
    "a user that is missing",
    { users: [{ name: "other", user: {} }] },
    'context "x" of the kubeconfig FILE names the user "u", which is not there: it has other',
  ],
  [
    "both",
    { clusters: [], users: [] },
    'context "x" of the kubeconfig FILE names the cluster "c", which is not there: it has none\n' +
      'context "x" of the kubeconfig FILE names the user "u", which is not there: it has none',
  ],
  [
    "no cluster",
    { contexts: [{ name: "x", context: {} }] },
    'context "x" of the kubeconfig FILE names no cluster',
  ],
  ["no server", { cluster: { server: "" } }, 'cluster "c" of the kubeconfig FILE has no server'],
  [
    "a server that is no URL",
    { cluster: { server: "u:s3cr3t@host" } },
    'the server of cluster "c" of the kubeconfig FILE is no URL: it must be like https://host:6443',
  ],
])("what a context lacks is told: %s", (_, parts, fault) => {
  const path = file(kubeconfig(parts));
  expect(faultOf({ kubeconfig: path })).toBe(fault.replaceAll("FILE", path));
});

const MISSING = "cannot be read: no such file or directory (ENOENT)";

test("a kubeconfig that is missing is told with who names it", () => {
  const [a, b] = [join(dir, "none-a"), join(dir, "none-b")];
  expect(faultOf({ kubeconfig: a })).toBe(`the kubeconfig ${a} ${MISSING}`);
  const [single, pair] = [{ KUBECONFIG: a }, { KUBECONFIG: `${a}::${b}` }];
  expect(faultOf({}, single)).toBe(`the kubeconfig ${a} (KUBECONFIG) ${MISSING}`);
  expect(faultOf({}, pair)).toBe(`the kubeconfigs ${a}, ${b} (KUBECONFIG) ${MISSING}`);
  expect(faultOf({ context: "nowhere-at-all" })).toMatch(/the kubeconfig \S+\/\.kube\/config .+/);
});

test("a folder in a kubeconfig's place is told", () => {
  const fault = faultOf({ kubeconfig: dir });
  expect(fault).toContain(`the kubeconfig ${dir} cannot be read: `);
  expect(fault).toContain("illegal operation on a directory (EISDIR): name the file");
});

test("every file that is refused is named at once", () => {
  const paths = [file("- a"), dir, file(kubeconfig())];
  const lines = faultOf({}, { KUBECONFIG: paths.join(":") }).split("\n");
  expect(lines.map((line) => line.split(" ")[2])).toEqual(paths.slice(0, 2));
});

test.each(["certificate-authority", "client-certificate", "client-key", "tokenFile"])(
  "%s: a file that is missing is named with its key and the cure",
  (key) => {
    const part = key === "certificate-authority" ? "cluster" : "user";
    const path = file(kubeconfig({ [part]: { [key]: "none.pem" } }));
    const target = readKubeconfig({ kubeconfig: path }, {});
    const of = part === "cluster" ? 'cluster "c"' : 'user "u"';
    expect(unreadableReferences(target)).toEqual([
      `${key} of ${of} in the kubeconfig ${path} ${MISSING.replace(":", `: ${join(dir, "none.pem")}:`)}; ` +
        "a container sees no files of its host: kubectl config view --raw --flatten writes a kubeconfig that holds them",
    ]);
  },
);

test("what a kubeconfig holds itself is read from no file", () => {
  const none = { "certificate-authority": "none", "certificate-authority-data": "AAAA" };
  const path = file(kubeconfig({ cluster: none }));
  expect(unreadableReferences(readKubeconfig({ kubeconfig: path }, {}))).toEqual([]);
});

/** The fault that another user meets, or the owner of a file that nobody may read. */
function faultOfNobody(path: string): string {
  const module = pathToFileURL(join(import.meta.dirname, "read-kubeconfig.ts")).href;
  const script = `
    import { readKubeconfig } from ${JSON.stringify(module)};
    if (process.getuid() === 0) { process.setgroups([]); process.setegid(65532); process.seteuid(65532); }
    try { readKubeconfig({ kubeconfig: process.argv[1] }, {}); } catch (err) { console.log(err.message); }`;
  const args = ["--input-type=module", "--eval", script, path];
  return spawnSync(process.execPath, args, { encoding: "utf8" }).stdout.trim();
}

test("a kubeconfig that this user may not read is told with mode, owner, user and cure", () => {
  const isRoot = process.getuid?.() === 0;
  const owner = isRoot ? "1000:1000" : `${process.getuid?.()}:${process.getgid?.()}`;
  const user = isRoot ? "65532:65532" : owner;
  chmodSync(dir, 0o755);
  const folder = join(dir, "kube");
  mkdirSync(folder);
  const path = join(folder, "config");
  writeFileSync(path, kubeconfig());
  chmodSync(path, isRoot ? 0o600 : 0);
  if (isRoot) for (const made of [folder, path]) chownSync(made, 1_000, 1_000);
  const denied = `the kubeconfig ${path} cannot be read: permission denied (EACCES): `;
  const cure = `with docker compose set ROLLCAST_USER=${owner} (the owner's id -u and id -g), so that the containers run as its owner; elsewhere let ${user} read it`;
  expect(faultOfNobody(path)).toBe(
    `${denied}it has mode ${isRoot ? "0600" : "0000"} and belongs to ${owner}, this process runs as ${user}: ${cure}`,
  );
  chmodSync(folder, 0o600);
  expect(faultOfNobody(path)).toBe(
    `${denied}${folder} has mode 0600 and belongs to ${owner}, this process runs as ${user}: ${cure}`,
  );
  chmodSync(folder, 0o700);
  if (!isRoot) return;
  chownSync(path, 0, 0);
  chownSync(folder, 65_532, 65_532);
  expect(faultOfNobody(path)).toMatch(/belongs to 0:0, .*: copy it to a file of your own/);
});
