// Supervises an engine: runs dockerd on a network bridge of its own. When it has to end (by a
// signal, or because its input closes, as it does when the parent is killed), it first removes the
// containers: dockerd would wait for them, and they would outlive a dockerd that is killed.
//
//     node engine-supervisor.ts DIR
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { engineHost } from "../../bootstrap/cache.mjs";
import { removeLeftOvers } from "./docker.ts";

const [dir = ""] = process.argv.slice(2);
const config = join(dir, "daemon.json");
// The machine's own /etc/docker/daemon.json belongs to another engine. The build cache is limited
// in size.
await writeFile(
  config,
  JSON.stringify({ builder: { gc: { enabled: true, defaultKeepStorage: "5GB" } } }),
);
// A bridge of its own, because another engine may use docker0. Interface names have at most 15
// characters.
const bridge = `rollcast${createHash("sha256").update(dir).digest("hex").slice(0, 6)}`;
const ip = (...args: readonly string[]) => spawnSync("ip", ["link", ...args], { stdio: "ignore" });
ip("add", "name", bridge, "type", "bridge");
const flags = [
  `--host=${engineHost()}`,
  `--bridge=${bridge}`,
  `--config-file=${config}`,
  `--data-root=${join(dir, "data")}`,
  `--exec-root=${join(dir, "exec")}`,
  `--pidfile=${join(dir, "pid")}`,
  "--containerd-namespace=rollcast",
  "--containerd-plugins-namespace=rollcast-plugins",
];
const dockerd = spawn("dockerd", flags, { stdio: ["ignore", "inherit", "inherit"] });

let ending = false;
function end(): void {
  if (ending) return;
  ending = true;
  removeLeftOvers({ env: process.env })
    .catch((err: unknown) => process.stderr.write(`${String(err)}\n`))
    .finally(() => dockerd.kill("SIGTERM"));
}

dockerd.once("error", (err) => {
  process.stderr.write(`dockerd cannot be started: ${err.message}\n`);
  process.exit(127);
});
dockerd.once("exit", (code) => {
  ip("delete", bridge);
  // A killed dockerd leaves mounts behind, which would make the folder impossible to remove.
  while (spawnSync("umount", [join(dir, "data")], { stdio: "ignore" }).status === 0);
  process.exit(ending ? 0 : (code ?? 1));
});
process.stdin.on("end", end).on("error", end).resume();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end);
