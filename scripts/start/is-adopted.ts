import { DEMO } from "@rollcast/demo/demo-objects";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import { recordKey } from "@rollcast/shared/subjects";
import { z } from "zod";

/** Whether the restarter has recorded every Deployment of the demo with its present content. */
export async function isAdopted(nats: Nats, cluster: string): Promise<boolean> {
  const records = await openKv(nats, "workloads", z.object({ phase: z.string() }));
  for (const name of DEMO.deployments) {
    const ref = { kind: "Deployment", namespace: DEMO.namespace, name };
    const entry = await records.get(recordKey(cluster, ref));
    if (entry?.value.phase !== "current") return false;
  }
  return true;
}
