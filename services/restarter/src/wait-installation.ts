import { setTimeout as sleep } from "node:timers/promises";
import { openInstallation, readInstallation } from "@rollcast/nats/installation";
import type { Installation } from "@rollcast/nats/installation";
import type { Nats } from "@rollcast/nats/connect";

const POLL_INTERVAL_MS = 250;

/**
 * Waits for the installation record, which the first watcher creates: without it, new workloads
 * look like older ones.
 */
export async function waitInstallation(
  nats: Nats,
  cluster: string,
  signal: AbortSignal,
): Promise<Installation> {
  const kv = await openInstallation(nats);
  for (let look = 0; ; look++) {
    const installation = await readInstallation(kv, cluster);
    if (installation !== undefined) return installation;
    if (look === 0)
      nats.logger.info({ cluster }, "waiting for the installation record of the watcher");
    await sleep(POLL_INTERVAL_MS, undefined, { signal });
  }
}
