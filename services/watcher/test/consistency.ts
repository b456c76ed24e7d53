import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import type { SourceEvent } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import type { KubeObject } from "@rollcast/kube/object";
import { relevantAnnotations, transformData } from "../src/model/transform.ts";
import type { InstallationKey, ObservedSource } from "../src/model/transform.ts";
import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import type { WatcherHarness } from "./harness.ts";

export type ConsistencyOptions = {
  timeout?: number;
  /** Another namespace, or key, than the harness's. */
  namespace?: string;
  key?: InstallationKey;
  /**
   * The cluster was restored: records of unchanged content have other versions without an event.
   */
  restored?: boolean;
};

/**
 * The inconsistencies between cluster, records and events once nothing changes any more; empty if
 * there are none.
 */
export async function faultsOf(
  harness: WatcherHarness,
  options: ConsistencyOptions = {},
): Promise<string[]> {
  const { namespace = harness.namespace, key: digestKey = harness.key } = options;
  const present = new Map<string, ObservedSource>();
  for (const kind of ["ConfigMap", "Secret"] as const) {
    const path = kind === "ConfigMap" ? paths.configMap(namespace) : paths.secret(namespace);
    const { items } = await harness.api.get<{ items: KubeObject[] }>(path);
    for (const item of items) {
      const observed = transformData(
        { key: digestKey, annotations: relevantAnnotations({}) },
        kind,
        item,
      );
      present.set(recordKey(CLUSTER, observed), observed);
    }
  }
  const records = await harness.records();
  const events = await harness.events();
  const faults = [...present].flatMap(([key, observed]) =>
    presentFaults(key, observed, records.get(key)),
  );
  for (const [key, record] of records) {
    if (!present.has(key) && record.deletedAt === undefined) faults.push(`${key} is not deleted`);
    if (record.state === "pending") faults.push(`${key} is still pending`);
    faults.push(...eventFaults(key, record, events, options));
  }
  const ids = new Set(events.map(({ id }) => id));
  if (ids.size !== events.length) faults.push("an event id twice in the stream");
  return faults;
}

function presentFaults(
  key: string,
  observed: ObservedSource,
  record: SourceRecord | undefined,
): string[] {
  if (record === undefined) return [`${key} has no record`];
  if (record.deletedAt !== undefined) return [`${key} is recorded as deleted`];
  if (record.uid !== observed.uid) return [`${key} is another object`];
  const same = JSON.stringify(record.digests) === JSON.stringify(observed.digests);
  return same ? [] : [`${key} has other content (${record.resourceVersion})`];
}

/**
 * The last event of a source matches its record: the final content was published, after everything
 * before it.
 */
function eventFaults(
  key: string,
  record: SourceRecord,
  events: readonly SourceEvent[],
  { restored = false }: ConsistencyOptions,
): string[] {
  const own = events.filter(({ data }) => recordKey(CLUSTER, data) === key);
  const last = own.at(-1);
  if (record.change === "none")
    return last === undefined ? [] : [`${key} published without a reason`];
  if (last === undefined) return [`${key} was never published`];
  // Another object with the same data took its place, which is no change.
  const replaced = last.data.uid !== record.uid;
  const matches = last.type === `dev.rollcast.source.${record.change}.v1`;
  if (matches && (replaced || restored || last.data.resourceVersion === record.resourceVersion))
    return [];
  return [`${key}: the last event is ${last.type} of ${last.data.resourceVersion}`];
}

/** Waits until everything is consistent; throws with the inconsistencies. */
export async function expectConsistent(
  harness: WatcherHarness,
  options: ConsistencyOptions = {},
): Promise<void> {
  const { timeout = 60_000 } = options;
  let faults: string[] = [];
  const look = async () => {
    faults = await faultsOf(harness, options);
    return faults.length === 0;
  };
  await waitFor(look, { timeout, every: 300 }).catch((err: unknown) => {
    throw new Error(`${faults.length} faults: ${faults.slice(0, 10).join("; ")}`, { cause: err });
  });
}
