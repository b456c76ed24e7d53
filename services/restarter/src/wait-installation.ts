import { setTimeout as sleep } from "node:timers/promises";
import { openInstallation, readInstallation } from "@rollcast/nats/installation";
import type { Installation } from "@rollcast/nats/installation";
import type { Nats } from "@rollcast/nats/connect";

const POLL_INTERVAL_MS = 250;

/** The installation's record, which the first watcher makes: without it, no workload could be told from one that was there before. */
export async function waitInstallation(
  nats: Nats,
  cluster: string,
  signal: AbortSignal,
): Promise<Installation> {
  const kv = await openInstallation(nats);
  for (let look = 0; ; look++) {
    const found = await readInstallation(kv, cluster);
    if (found !== undefined) return found;
    if (look === 0) nats.logger.info({ cluster }, "waiting for the watcher's first start");
    await sleep(POLL_INTERVAL_MS, undefined, { signal });
  }
}
