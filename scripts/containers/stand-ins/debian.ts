// Unpacks Debian packages of any release without installing them.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const FALLBACK_MIRROR = "http://deb.debian.org/debian/";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const UNPACK = 'for deb in "$@"; do dpkg-deb -x "$deb" "$0"; done';

export type DebianRelease = "bookworm" | "trixie";

/**
 * Unpacks packages into `root` without running their scripts; `dependencies`: with all their
 * dependencies.
 */
export type UnpackDebian = (
  root: string,
  release: DebianRelease,
  packages: readonly string[],
  options?: { dependencies: boolean },
) => Promise<void>;

export type DebianOptions = {
  /** A folder for downloads; the caller removes it. */
  work: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Runs a command in a folder; throws if it fails. */
  run(command: string, args: readonly string[], cwd: string): Promise<void>;
};

export function createDebian({ work, env, run }: DebianOptions): UnpackDebian {
  const mirror = firstMirror(env);
  const releases = new Map<DebianRelease, Promise<string[]>>();

  /** Downloads a release's package lists; resolves with the flags that make apt use them. */
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
    await run("apt-get", [...flags, "-qq", "update"], dir);
    return flags;
  }

  return async (root, release, packages, { dependencies } = { dependencies: false }) => {
    const fetched = releases.get(release) ?? fetchLists(release);
    releases.set(release, fetched);
    const dir = await mkdtemp(join(work, "debs-"));
    const command = dependencies ? ["install", "--download-only", "--yes"] : ["download"];
    const archives = ["-o", `Dir::Cache::Archives=${dir}`];
    await run("apt-get", [...(await fetched), ...archives, "-qq", ...command, ...packages], dir);
    const debs = (await readdir(dir)).filter((name) => name.endsWith(".deb"));
    await mkdir(root, { recursive: true });
    await run("sh", ["-ec", UNPACK, root, ...debs], dir);
  };
}

/** The mirror from which this machine gets Debian's packages. */
async function firstMirror(env: DebianOptions["env"]): Promise<string> {
  const format = "$(ORIGIN) $(CODENAME) $(REPO_URI)";
  const { stdout } = await execute("apt-get", ["indextargets", "--format", format], { env });
  const main = /^Debian (?:bookworm|trixie) (\S+)$/m.exec(stdout);
  return main?.[1] ?? FALLBACK_MIRROR;
}
