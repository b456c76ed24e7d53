import { join } from "node:path";
import process from "node:process";
import { packageDir, repositoryRoot, serverBinary } from "@rollcast/testkit/binaries";
import { inCheckout } from "./composition.ts";
import { fitFile } from "./kubelet.ts";
import type { Node, PodOptions } from "./kubelet.ts";

type Command = PodOptions["command"];

/**
 * What an image of ours starts, from a checkout; the arguments may name another program than that
 * of the package.
 */
export function serviceCommand(node: Node, name: string, root = repositoryRoot()): Command {
  return async ([entry = join(packageDir(name), "src", "main.ts"), ...args], mounts) => {
    const config = mounts.get("/etc/rollcast/config");
    if (config !== undefined) await fitFile(node, mounts, join(config, "rollcast.yaml"));
    return [process.execPath, inCheckout(entry, root), ...args];
  };
}

/** What the image of NATS starts, on these ports of this machine. */
export function natsCommand(
  node: Node,
  { client, monitor }: { readonly client: number; readonly monitor: number },
): Command {
  const hosts = new Map([
    ["0.0.0.0:4222", `127.0.0.1:${client}`],
    ["0.0.0.0:8222", `127.0.0.1:${monitor}`],
  ]);
  return async (args, mounts) => {
    const config = join(mounts.get("/etc/nats") ?? "", "nats.conf");
    await fitFile({ ...node, hosts }, mounts, config);
    return [serverBinary("nats-server"), ...args];
  };
}

/** What the image of Redis starts, on this port of this machine. */
export function redisCommand(port: number): Command {
  return async (args) => ["redis-server", ...args, "--port", String(port)];
}

/** Port of the HTTP server of a service that logged this; undefined as long as it has none. */
export function httpPortIn(lines: readonly string[]): number | undefined {
  const line = lines.find((text) => text.includes("http server listening")) ?? "{}";
  return (JSON.parse(line) as { port?: number }).port;
}
