import type { RollcastEvent } from "@rollcast/shared/events";
import { eventOutcome } from "@rollcast/shared/events";
import type { Api } from "@rollcast/testkit/test-api";
import { configMap, paths, replicaSetsOf } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { TestReceiver } from "@rollcast/testkit/receiver";

export function nameOf(index: number): string {
  return `web-${index}`;
}

/**
 * Makes ConfigMaps and Deployments `web-0` to `web-<count - 1>`, each Deployment of one ConfigMap.
 */
export async function makeWorkloads(api: Api, namespace: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const name = nameOf(i);
    await api.create(paths.configMap(namespace), configMap(namespace, name, { round: "0" }));
    const uses = [{ as: "envFrom", configMap: name }] as const;
    await api.create(paths.deployment(namespace), deployment(namespace, name, { uses }));
  }
}

export async function change(api: Api, namespace: string, index: number, round: string) {
  await api.patch(paths.configMap(namespace, nameOf(index)), { data: { round } });
}

/** How often each workload was rolled: its ReplicaSets but the first. */
export async function rollsOf(api: Api, namespace: string, count: number): Promise<number[]> {
  const sets = Array.from({ length: count }, (_, i) => replicaSetsOf(api, namespace, nameOf(i)));
  return (await Promise.all(sets)).map((names) => names.length - 1);
}

/**
 * Events that a receiver was sent (format `cloudevents`), each once: a message that is tried again
 * keeps its id.
 */
function deliveredTo(receiver: TestReceiver): RollcastEvent[] {
  const messages = new Map(
    receiver.received.map(({ headers, body }) => [String(headers["webhook-id"]), body]),
  );
  return [...messages.values()].flatMap((body) => JSON.parse(body) as RollcastEvent[]);
}

/** How often a receiver was notified that each workload of a namespace succeeded. */
export function toldOf(receiver: TestReceiver, namespace: string, count: number): number[] {
  const counts = Array.from({ length: count }, () => 0);
  for (const event of deliveredTo(receiver)) {
    const [, of, name] = (event.subject ?? "").split("/");
    const index = Number(name?.replace("web-", ""));
    if (of !== namespace || eventOutcome(event.type).outcome !== "succeeded") continue;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}

/** `times` for each of `count`. */
export function each(count: number, times: number): number[] {
  return Array.from({ length: count }, () => times);
}
