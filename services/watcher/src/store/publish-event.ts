import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import { publish } from "@rollcast/nats/publish";
import type { SourceRecord } from "@rollcast/shared/records";
import type { WatcherMetrics } from "../metrics.ts";
import { eventOf } from "../model/compare.ts";

/** What is needed to publish, count and log events. */
export type PublishOptions = {
  cluster: string;
  nats: Nats;
  metrics: WatcherMetrics;
  logger: Logger;
  signal: AbortSignal;
};

/**
 * Publishes the event of a pending record, if it has one; `since` (`performance.now()`) is when the
 * change arrived.
 */
export async function publishEvent(
  { cluster, nats, metrics, logger, signal }: PublishOptions,
  record: SourceRecord,
  since: number | undefined,
): Promise<void> {
  const due = eventOf(cluster, record);
  if (due === undefined) return;
  const { duplicate } = await publish(nats, due.subject, due.event, signal);
  const type = record.change;
  metrics.published.inc({ type, result: duplicate ? "duplicate" : "stored" });
  if (since !== undefined) metrics.lag.observe({ type }, (performance.now() - since) / 1_000);
  const { kind, namespace, name, resourceVersion, changedKeys, reason } = record;
  const source = `${kind}/${namespace}/${name}`;
  const data = { source, change: type, resourceVersion, changedKeys, reason, duplicate };
  logger.info({ ...data, id: due.event.id }, "source event published");
}
