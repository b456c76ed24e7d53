// What images are made of: packages of Debian and of npm, and the servers that are built here.
import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { runQuietly } from "../run-command.mjs";

const execute = promisify(execFile);
const UNPACK = 'for deb in "$@"; do dpkg-deb -x "$deb" "$0"; done';
const FALLBACK_MIRROR = "http://deb.debian.org/debian/";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** The certificates that this machine trusts: behind a proxy of its own, others than Debian's. */
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

export type DebianRelease = "bookworm" | "trixie";

export type Materials = {
  /** Runs a command to its end; throws with what it printed where it fails. */
  run(command: string, args: readonly string[]): Promise<void>;
  /** Lays Debian's packages out in `root`, without running their scripts; `dependencies`: with all that they depend on. */
  unpackDebian(
    root: string,
    release: DebianRelease,
    packages: readonly string[],
    options?: { dependencies: boolean },
  ): Promise<void>;
  /** Lays a package of npm, `name@version`, out in `root`. */
  unpackNpm(root: string, spec: string): Promise<void>;
  /** Puts busybox and its commands into `root`/bin. */
  busybox(root: string): Promise<void>;
  /** Copies a server that is built here to `path` in `root`. */
  copyServer(root: string, path: string, name: string): Promise<void>;
  /** What changes with a server. */
  serverId(name: string): Promise<string>;
  /** A folder for what only passes through. */
  readonly work: string;
};

export type MaterialOptions = {
  /** A folder for what is fetched; the caller takes it away. */
  work: string;
  servers: string;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
};

export function createMaterials({ work, servers, env, signal }: MaterialOptions): Materials {
  const run = (command: string, args: readonly string[], cwd = work) =>
    runQuietly(command, args, { env: { ...env }, cwd, signal });
  const lists = new Map<DebianRelease, Promise<string[]>>();
  const mirror = firstMirror(env);

  /** The flags with which apt knows a release, whatever release this machine is. */
  async function fetchLists(release: DebianRelease): Promise<string[]> {
    const dir = join(work, `apt-${release}`);
    await mkdir(join(dir, "lists/partial"), { recursive: true });
    await writeFile(join(dir, "status"), "");
    const source = `deb [signed-by=${KEYRING}] ${await mirror} ${release} main\n`;
    await writeFile(join(dir, "sources.list"), source);
    const settings = {
      "Dir::State::Lists": join(dir, "lists"),
      "Dir::State::Status": join(dir, "status"),
      "Dir::Cache::PkgCache": "",
      "Dir::Cache::SrcPkgCache": "",
      "Dir::Etc::SourceList": join(dir, "sources.list"),
      "Dir::Etc::SourceParts": "/dev/null",
      "Acquire::Languages": "none",
      "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
      "APT::Install-Recommends": "false",
      "APT::Sandbox::User": "root",
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    await run("apt-get", [...flags, "-qq", "update"]);
    return flags;
  }

  const materials: Materials = {
    run,
    async unpackDebian(root, release, packages, { dependencies } = { dependencies: false }) {
      let flags = lists.get(release);
      if (flags === undefined) lists.set(release, (flags = fetchLists(release)));
      const dir = await mkdtemp(join(work, "debs-"));
      const command = dependencies ? ["install", "--download-only", "--yes"] : ["download"];
      const archives = ["-o", `Dir::Cache::Archives=${dir}`];
      await run("apt-get", [...(await flags), ...archives, "-qq", ...command, ...packages], dir);
      const debs = (await readdir(dir)).filter((name) => name.endsWith(".deb"));
      await mkdir(root, { recursive: true });
      await run("sh", ["-ec", UNPACK, root, ...debs.map((name) => join(dir, name))]);
    },
    async unpackNpm(root, spec) {
      const dir = join(work, `npm-${spec}`);
      await mkdir(dir, { recursive: true });
      await mkdir(root, { recursive: true });
      await run("npm", ["pack", "--silent", spec], dir);
      const [file = ""] = await readdir(dir);
      await run("tar", ["-xzf", join(dir, file), "-C", root, "--strip-components=1"]);
    },
    async busybox(root) {
      const box = join(work, "busybox");
      await materials.unpackDebian(box, "bookworm", ["busybox-static"]);
      await mkdir(join(root, "bin"), { recursive: true });
      await copyFile(join(box, "bin", "busybox"), join(root, "bin", "busybox"));
      const { stdout } = await execute(join(root, "bin", "busybox"), ["--list"]);
      for (const name of stdout.trim().split("\n")) {
        if (name !== "busybox") await symlink("busybox", join(root, "bin", name));
      }
    },
    async copyServer(root, path, name) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await copyFile(join(servers, name), join(root, path));
    },
    // Where the link leads to has the hash of what it is built from in its name.
    serverId: (name) => realpath(join(servers, name)),
    work,
  };
  return materials;
}

/** Where this machine gets Debian's packages from. */
async function firstMirror(env: MaterialOptions["env"]): Promise<string> {
  const format = "$(ORIGIN) $(CODENAME) $(REPO_URI)";
  const { stdout } = await execute("apt-get", ["indextargets", "--format", format], { env });
  const main = /^Debian (?:bookworm|trixie) (\S+)$/m.exec(stdout);
  return main?.[1] ?? FALLBACK_MIRROR;
}

/** Writes a file of an image, with its folders. */
export async function put(root: string, path: string, text: string, mode = 0o644): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode });
}

/** Gives an image the certificates that this machine trusts. */
export async function putCertificates(root: string): Promise<void> {
  await put(root, CERTIFICATES, await readFile(CERTIFICATES, "utf8").catch(() => ""));
}

/** What changes with the certificates that this machine trusts. */
export async function certificatesHash(): Promise<string> {
  const text = await readFile(CERTIFICATES).catch(() => "");
  return createHash("sha256").update(text).digest("hex");
}
