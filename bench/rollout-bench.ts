import { readFile } from "node:fs/promises";
import process from "node:process";
import type { AnyObject } from "@rollcast/testkit/test-api";
import type { Cluster } from "@rollcast/testkit/cluster";
import { paths } from "@rollcast/testkit/objects";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";

const MARKER = "rollcast.dev/config";

export type Bench = { cluster: Cluster; namespace: string; restarter: Service };

export type Deployment = AnyObject & {
  metadata: { generation: number };
  spec: { template: { metadata: { annotations?: Record<string, string> } } };
};

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export async function list(bench: Bench): Promise<Deployment[]> {
  const { items } = await bench.cluster.api.get<{ items: Deployment[] }>(
    paths.deployment(bench.namespace),
  );
  return items;
}

type AuditLine = {
  verb: string;
  user: { username: string };
  objectRef?: { resource: string; namespace?: string };
  requestReceivedTimestamp: string;
  stageTimestamp: string;
  stage: string;
};

export async function auditOf(bench: Bench, user: string, from: number): Promise<AuditLine[]> {
  const text = await readFile(bench.cluster.auditLog ?? "", "utf8");
  return text
    .split("\n")
    .filter((line) => line.includes(`"username":"${user}"`))
    .map((line) => JSON.parse(line) as AuditLine)
    .filter((line) => line.stage === "ResponseComplete")
    .filter((line) => Date.parse(line.requestReceivedTimestamp) >= from);
}

export function markerOf(deployment: Deployment): string | undefined {
  return deployment.spec.template.metadata.annotations?.[MARKER];
}

export function countOf(audit: readonly AuditLine[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { verb, objectRef } of audit) {
    const name = `${verb} ${objectRef?.resource ?? "?"}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Waits until nothing is followed any more. */
export async function waitRolled(bench: Bench): Promise<void> {
  await waitFor(
    async () => {
      const text = await (await fetch(`${bench.restarter.http()}/metrics`)).text();
      return /^rollcast_workloads_in_progress 0$/m.test(text);
    },
    { timeout: 120_000, every: 200, message: "all rollouts to end" },
  );
}
