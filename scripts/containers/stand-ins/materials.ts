// The materials of images: packages of Debian and npm, and the servers that are built here.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
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
import { runQuietly } from "../../bootstrap/run-command.mjs";
import { createDebian } from "./debian.ts";
import type { UnpackDebian } from "./debian.ts";

/** The certificates that this machine trusts; behind a proxy they may differ from Debian's. */
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

export type Materials = {
  readonly unpackDebian: UnpackDebian;
  /** Unpacks an npm package, `name@version`, into `root`. */
  unpackNpm(root: string, spec: string): Promise<void>;
  /** Puts busybox and its commands into `root`/bin. */
  busybox(root: string): Promise<void>;
  /** Copies a server that is built here to `path` in `root`. */
  copyServer(root: string, path: string, name: string): Promise<void>;
  /** An id that changes with the server's build. */
  serverId(name: string): Promise<string>;
  /** Runs a command; if it fails, throws with its output. */
  run(command: string, args: readonly string[]): Promise<void>;
  /** Creates a folder for temporary files. */
  scratch(): Promise<string>;
};

export type MaterialOptions = {
  /** A folder for downloads; the caller removes it. */
  work: string;
  servers: string;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
};

export function createMaterials({ work, servers, env, signal }: MaterialOptions): Materials {
  const run = (command: string, args: readonly string[], cwd = work) =>
    runQuietly(command, args, { env: { ...env }, cwd, signal });
  const unpackDebian = createDebian({ work, env, run });
  const scratch = () => mkdtemp(join(work, "scratch-"));
  const fetchNpm = once(async (spec: string) => {
    const dir = await scratch();
    await run("npm", ["pack", "--silent", spec], dir);
    const [file = ""] = await readdir(dir);
    return join(dir, file);
  });
  const fetchBusybox = once(async () => {
    const dir = await scratch();
    await unpackDebian(dir, "bookworm", ["busybox-static"]);
    return dir;
  });
  return {
    unpackDebian,
    async unpackNpm(root, spec) {
      const tarball = await fetchNpm(spec);
      await mkdir(root, { recursive: true });
      await run("tar", ["-xzf", tarball, "-C", root, "--strip-components=1"]);
    },
    async busybox(root) {
      const dir = await fetchBusybox();
      await mkdir(join(root, "bin"), { recursive: true });
      const busybox = join(root, "bin", "busybox");
      await copyFile(join(dir, "bin", "busybox"), busybox);
      const { stdout } = await promisify(execFile)(busybox, ["--list"]);
      for (const name of stdout.trim().split("\n")) {
        if (name !== "busybox") await symlink("busybox", join(root, "bin", name));
      }
    },
    async copyServer(root, path, name) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await copyFile(join(servers, name), join(root, path));
    },
    // The link's target has the hash of its sources in its name.
    serverId: (name) => realpath(join(servers, name)),
    run,
    scratch,
  };
}

/** Fetches each name once. */
function once(fetch: (name: string) => Promise<string>): (name?: string) => Promise<string> {
  const fetched = new Map<string, Promise<string>>();
  return (name = "") => {
    const fetching = fetched.get(name) ?? fetch(name);
    fetched.set(name, fetching);
    return fetching;
  };
}

/** Writes a file of an image, with its folders. */
export async function putFile(
  root: string,
  path: string,
  text: string,
  mode = 0o644,
): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode });
}

/** Gives an image the certificates that this machine trusts. */
export async function putCertificates(root: string): Promise<void> {
  await putFile(root, CERTIFICATES, await readFile(CERTIFICATES, "utf8").catch(() => ""));
}

/** A hash of the certificates that this machine trusts. */
export async function certificatesHash(): Promise<string> {
  const text = await readFile(CERTIFICATES).catch(() => "");
  return createHash("sha256").update(text).digest("hex");
}
