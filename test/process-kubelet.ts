import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@rollcast/testkit/net";
import { paths } from "@rollcast/testkit/objects";
import type { AnyObject } from "@rollcast/testkit/test-api";
import type { Node } from "./kubelet.ts";
import { podProgram } from "./pod-program.ts";
import { runPodToEnd } from "./pod-run.ts";
import type { Ended, Pod } from "./pod-run.ts";

/** How often the API server is asked for pods that are new or are being deleted. */
const EVERY_MS = 100;

export type ProcessKubeletOptions = {
  /** The node whose pods it runs. */
  readonly nodeName: string;
  /** The checkout that each tag of our images stands for. */
  readonly checkouts: Readonly<Record<string, string>>;
};

/** A kubelet whose containers are processes of this machine, of the pods of one namespace. */
export type ProcessKubelet = AsyncDisposable & {
  /** The processes that ended, the oldest first. */
  readonly ended: readonly Ended[];
  /** How each process ended, and the newest lines of each pod: for people, where a test fails. */
  report(): string;
};

/** Gives the Services of NATS and Redis an address on this machine. */
async function giveAddresses(node: Node) {
  const ports = { nats: await freePort(), monitor: await freePort(), redis: await freePort() };
  node.hosts.set("rollcast-nats:4222", `127.0.0.1:${ports.nats}`);
  node.hosts.set("rollcast-redis:6379", `127.0.0.1:${ports.redis}`);
  return ports;
}

/**
 * Runs every pod of the node in `node.namespace` until it is deleted, and tells the API server what
 * becomes of it, as a kubelet does. What a pod writes below its volumes stays for the next one of
 * its name, as with a claim.
 */
export async function startProcessKubelet(
  node: Node,
  { nodeName, checkouts }: ProcessKubeletOptions,
): Promise<ProcessKubelet> {
  const stop = new AbortController();
  const ports = await giveAddresses(node);
  const ended: Ended[] = [];
  const runs = new Map<string, { readonly name: string; readonly run: ReturnType<typeof start> }>();
  const path = `${paths.pod(node.namespace)}?fieldSelector=spec.nodeName%3D${nodeName}`;

  function start(pod: Pod) {
    const program = podProgram(node, pod, { ports, checkouts });
    return runPodToEnd(node, { pod, program, onEnd: (end) => ended.push(end) });
  }

  async function look(): Promise<void> {
    const { items } = await node.api.get<{ items: AnyObject[] }>(path);
    for (const item of items) {
      const pod = item as Pod;
      const uid = pod.metadata.uid ?? "";
      const entry = runs.get(uid) ?? { name: pod.metadata.name, run: start(pod) };
      runs.set(uid, entry);
      const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
      if (deletionTimestamp !== undefined) entry.run.delete(Number(deletionGracePeriodSeconds));
    }
  }

  async function follow(): Promise<void> {
    while (!stop.signal.aborted) {
      // An API server that is busy is asked again.
      await look().catch(() => undefined);
      await sleep(EVERY_MS);
    }
  }

  const following = follow();
  return {
    ended,
    report() {
      const ends = ended.map(
        ({ pod, image, code, seconds }) =>
          `${pod} (${image}) ended with ${code} after ${seconds} s`,
      );
      const pods = [...runs.values()].map(({ name, run }) => `${name}: ${run.report()}`);
      return [...ends, ...pods].join("\n");
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
      await Promise.all([...runs.values()].map(({ run }) => run[Symbol.asyncDispose]()));
    },
  };
}
