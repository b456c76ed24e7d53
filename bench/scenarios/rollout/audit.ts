import { readFile } from "node:fs/promises";
import type { Cluster } from "@rollcast/testkit/cluster";

/**
 * What is used of an audit Event:
 * https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Event
 */
export type AuditLine = {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly stage: string;
};

/** A user's requests since `from` (milliseconds since 1970) that were answered. */
export async function auditOf(cluster: Cluster, user: string, from: number): Promise<AuditLine[]> {
  const text = await readFile(cluster.auditLog ?? "", "utf8");
  return text
    .split("\n")
    .filter((line) => line.includes(`"username":"${user}"`))
    .map((line) => JSON.parse(line) as AuditLine)
    .filter((line) => line.stage === "ResponseComplete")
    .filter((line) => Date.parse(line.requestReceivedTimestamp) >= from);
}
