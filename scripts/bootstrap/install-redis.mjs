// Provides Redis if there is none on PATH.
import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { aptInstall } from "./apt.mjs";
import { commandOutput, runQuietly, which } from "./run-command.mjs";
import { replaceLink, linkDir } from "./link-servers.mjs";
import { REDIS_IMAGE } from "./versions.mjs";

const WRAPPER = join(dirname(fileURLToPath(import.meta.url)), "redis-in-container.mjs");

/**
 * Installs Debian's redis-server. It is the same binary as `redis-check-rdb` of the package
 * redis-tools and goes by its name; the package redis-server would only add a service that starts
 * now and at boot, which the user did not ask for.
 * @param {import("./toolchain.mjs").Context} context
 */
export async function installRedis(context) {
  const { root, env, progress } = context;
  const since = Date.now();
  if (which("redis-check-rdb", env) === undefined) {
    const install = aptInstall(context, ["redis-tools"]);
    await progress.live("installing Debian's Redis (no service)", install);
  }
  const file = join(linkDir(root), "redis-server");
  await replaceLink(which("redis-check-rdb", env) ?? "redis-check-rdb", file);
  if (!(await commandOutput(file, ["--version"]))?.startsWith("Redis server")) {
    throw new Error("redis-tools holds no redis-server here: `apt-get install redis-server`");
  }
  progress.done("Redis from Debian's package", since);
}

/** @param {string} text */
function quote(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * Adds a command `redis-server` to the folder of servers that runs Redis in a container.
 * @param {import("./toolchain.mjs").Context} context
 */
export async function wrapRedis({ root, env, progress, signal }) {
  const since = Date.now();
  await progress.live(
    `fetching ${REDIS_IMAGE}`,
    runQuietly("docker", ["pull", "--quiet", REDIS_IMAGE], { env, signal }),
  );
  const file = join(linkDir(root), "redis-server");
  const fresh = `${file}.tmp-${process.pid}`;
  await mkdir(dirname(file), { recursive: true });
  const docker = Object.entries(env)
    .filter(([name, value]) => name.startsWith("DOCKER_") && value !== undefined)
    .map(([name, value]) => `${name}=${quote(value ?? "")} `)
    .join("");
  const command = `${docker}exec ${quote(process.execPath)} ${quote(WRAPPER)} "$@"`;
  await writeFile(fresh, `#!/bin/sh\n${command}\n`);
  await chmod(fresh, 0o755);
  await rename(fresh, file);
  progress.done("Redis in a container", since);
}
