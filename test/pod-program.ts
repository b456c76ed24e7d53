import { accepts } from "@rollcast/testkit/net";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { httpPortIn, natsCommand, redisCommand, serviceCommand } from "./images.ts";
import type { Node, PodOptions, PodTemplate } from "./kubelet.ts";

type Probe = {
  httpGet?: { path: string; port: string };
  tcpSocket?: { port: string };
  timeoutSeconds?: number;
  failureThreshold?: number;
};

/** The one container of a pod, as far as it is run here. */
export type Container = PodTemplate["spec"]["containers"][number] & {
  readonly name: string;
  readonly image: string;
  readonly readinessProbe?: Probe;
};

/** What a pod's image starts on this machine. */
export type PodProgram = Pick<PodOptions, "command" | "env"> & {
  /** Where a port of the container is here; undefined as long as nothing listens there. */
  readonly port: (name: string, lines: readonly string[]) => number | undefined;
};

export type PodProgramOptions = {
  readonly ports: { readonly nats: number; readonly monitor: number; readonly redis: number };
  /** The checkout that each tag of our images stands for. */
  readonly checkouts: Readonly<Record<string, string>>;
};

export function containerOf(pod: AnyObject): Container {
  const [container] = (pod.spec as { containers: Container[] }).containers;
  if (container === undefined) throw new Error(`${pod.metadata.name} has no container`);
  return container;
}

export function podProgram(
  node: Node,
  pod: AnyObject,
  { ports, checkouts }: PodProgramOptions,
): PodProgram {
  const { image } = containerOf(pod);
  const [, name = "", tag = ""] = /([^/]+):([^:]+)$/.exec(image) ?? [];
  if (name === "nats") {
    const { nats: client, monitor } = ports;
    return {
      command: natsCommand(node, { client, monitor }),
      port: (port) => (port === "monitor" ? monitor : client),
    };
  }
  if (name === "redis") return { command: redisCommand(ports.redis), port: () => ports.redis };
  const root = checkouts[tag];
  if (root === undefined) throw new Error(`no checkout stands for ${image}`);
  return {
    command: serviceCommand(node, name.replace("rollcast-", ""), root),
    env: { ROLLCAST_HTTP_PORT: "0" },
    port: (_port, lines) => httpPortIn(lines),
  };
}

/** Asks a readiness probe once; a container without one is ready when it runs. */
export async function isReady(
  { readinessProbe }: Container,
  program: PodProgram,
  lines: readonly string[],
): Promise<boolean> {
  const { httpGet, tcpSocket, timeoutSeconds = 1 } = readinessProbe ?? {};
  const port = program.port(httpGet?.port ?? tcpSocket?.port ?? "", lines);
  if (httpGet === undefined && tcpSocket === undefined) return true;
  if (port === undefined) return false;
  if (httpGet === undefined) return accepts(port);
  const signal = AbortSignal.timeout(timeoutSeconds * 1_000);
  const answer = await fetch(`http://127.0.0.1:${port}${httpGet.path}`, { signal });
  return answer.ok;
}
