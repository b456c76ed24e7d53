import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startNats } from "./nats.ts";
import type { NatsServer } from "./nats.ts";
import { freePort } from "./net.ts";

export type NatsCluster = AsyncDisposable & {
  /** In the order of their names, NAME-0 first. */
  readonly servers: readonly NatsServer[];
};

type Node = {
  readonly name: string;
  readonly dir: string;
  readonly port: number;
  readonly clusterPort: number;
};

/** Name of a server, as its pod has it. */
export function serverName(index: number): string {
  return `rollcast-nats-${index}`;
}

/**
 * Puts a node's own places into the file that all pods share. Throws where one of them is not in
 * it, lest something else be tested than is shipped.
 */
function placed(conf: string, node: Node, all: readonly Node[]): string {
  const places: [from: RegExp, to: string][] = [
    [/\$POD_NAME/, node.name],
    [/listen: 0\.0\.0\.0:4222/, `listen: 127.0.0.1:${node.port}`],
    [/http: 0\.0\.0\.0:8222/, "http: 127.0.0.1:-1"],
    [/store_dir: \/data/, `store_dir: ${JSON.stringify(join(node.dir, "jetstream"))}`],
    [/listen: 0\.0\.0\.0:6222/, `listen: 127.0.0.1:${node.clusterPort}`],
    ...all.map(({ name, clusterPort }): [RegExp, string] => [
      new RegExp(`nats://${name}\\.rollcast-nats-servers:6222`),
      `nats://127.0.0.1:${clusterPort}`,
    ]),
  ];
  let text = conf;
  for (const [from, to] of places) {
    if (!from.test(text)) throw new Error(`the configuration of NATS has no ${from.source}`);
    text = text.replace(from, to);
  }
  return text;
}

/**
 * Three nats-servers that are one cluster, set up by the chart's `nats.conf` with `files` beside
 * it. They have no leader yet.
 */
export async function startNatsCluster(options: {
  conf: string;
  files: Readonly<Record<string, string>>;
}): Promise<NatsCluster> {
  await using undo = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "rollcast-nats-cluster-"));
  undo.defer(() => rm(root, { recursive: true, force: true }));
  const nodes: Node[] = [];
  for (const index of [0, 1, 2]) {
    const name = serverName(index);
    const dir = join(root, name);
    await mkdir(dir);
    for (const [file, text] of Object.entries(options.files)) {
      await writeFile(join(dir, file), text);
    }
    nodes.push({ name, dir, port: await freePort(), clusterPort: await freePort() });
  }
  const servers = await Promise.all(
    nodes.map(async (node) => {
      const whole = placed(options.conf, node, nodes);
      return undo.use(await startNats({ storeDir: node.dir, port: node.port, whole }));
    }),
  );
  const kept = undo.move();
  return { servers, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
