import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connectKube } from "@rollcast/kube/client";
import type { ReflectorTimes } from "@rollcast/kube/reflector-options";
import { parseConfig } from "@rollcast/runtime/config/load";
import { SourceEvent } from "@rollcast/shared/events";
import { sourceKeys } from "@rollcast/nats/installation";
import { createLogger } from "@rollcast/runtime/logger";
import { createMetrics } from "@rollcast/runtime/metrics";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import type { Kv } from "@rollcast/nats/kv";
import { provision } from "@rollcast/nats/provision";
import { EVENT_STREAM } from "@rollcast/nats/streams";
import { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import { CLUSTER, baseConfig } from "@rollcast/testkit/harness/base-config";
import { startHarness } from "@rollcast/testkit/harness/harness";
import type {
  Extended,
  Harness,
  HarnessOptions,
  StartOptions,
} from "@rollcast/testkit/harness/harness-types";
import type { Service } from "@rollcast/testkit/services";
import type { User } from "@rollcast/testkit/users";
import { waitFor } from "@rollcast/testkit/wait";
import { installationKey } from "../src/model/transform.ts";
import type { InstallationKey } from "../src/model/transform.ts";
import { watchSources } from "../src/watch-sources.ts";
import type { SourceWatch } from "../src/watch-sources.ts";

export const silent = createLogger("watcher", "silent");

export const QUICK: Partial<ReflectorTimes> = { backoff: { initial: 50, max: 1_000 } };

/** A namespace, a NATS server of its own, and what the watchers under test share. */
export type WatcherHarness = Extended<Nats, WatcherHandles>;

type WatcherHandles = {
  readonly key: InstallationKey;
  readonly kv: Kv<SourceRecord>;
  /** Every event of the stream so far, in order. */
  events(): Promise<SourceEvent[]>;
  /** The record of a source. */
  record(kind: string, namespace: string, name: string): Promise<SourceRecord | undefined>;
  /** Every record by its key. */
  records(): Promise<Map<string, SourceRecord>>;
  /** Starts a watcher as its users run it, by default with this key. */
  start(options?: StartOptions): Promise<Service>;
  /** Starts a watcher in this process and, unless `wait` is false, waits until it is ready. */
  startInProcess(options?: WatchOptions): Promise<Started>;
};

type WatchOptions = {
  /** By default the harness's namespace. */
  scope?: object;
  user?: User;
  times?: Partial<ReflectorTimes>;
  key?: InstallationKey;
  wait?: boolean;
};

export type Started = AsyncDisposable &
  SourceWatch["health"] & { readonly metrics: ReturnType<typeof createMetrics> };

const client = {
  connect: (to: { url: string }) => connectNats({ ...to, name: "test", logger: silent }),
  provision: (nats: Nats) => provision(nats, 1),
};

/** Every event of the stream; those that were read before are not read again. */
function readEvents({ jsm }: Nats): WatcherHandles["events"] {
  const events: SourceEvent[] = [];
  return async () => {
    const { state } = await jsm.streams.info(EVENT_STREAM);
    for (let seq = events.length + 1; seq <= state.last_seq; seq++) {
      const message = await jsm.streams.getMessage(EVENT_STREAM, { seq });
      if (message === null) throw new Error(`message ${seq} is gone`);
      events.push(SourceEvent.parse(message.json()));
    }
    return events;
  };
}

async function openHandles(harness: Harness<Nats>, file: string): Promise<WatcherHandles> {
  const { connection, start } = harness;
  const bytes = randomBytes(32);
  await writeFile(join(harness.dir, file), bytes);
  const key = installationKey(bytes);
  const kv = await openKv(connection, "sources", SourceRecord);
  return {
    key,
    kv,
    events: readEvents(connection),
    record: async (kind, namespace, name) =>
      (await kv.get(recordKey(CLUSTER, { kind, namespace, name })))?.value,
    async records() {
      const byKey = new Map<string, SourceRecord>();
      for await (const entry of kv.snapshot(sourceKeys(CLUSTER))) byKey.set(entry.key, entry.value);
      return byKey;
    },
    start: (options) => start("watcher", options),
    startInProcess: (options) => startInProcess(harness, { key, ...options }),
  };
}

function startInProcess(
  harness: Harness<Nats>,
  {
    scope = { namespaces: [harness.namespace] },
    user,
    times,
    key,
    wait = true,
  }: WatchOptions & { key: InstallationKey },
): Promise<Started> {
  return harness.run(async ({ stack, signal }) => {
    const kubeconfig = user === undefined ? harness.kubeconfig : await harness.kubeconfigFor(user);
    const client = stack.use(await connectKube({ logger: silent, kubeconfig }));
    const nats = stack.use(
      await connectNats({ url: harness.natsUrl, name: "watcher", logger: silent }),
    );
    const metrics = createMetrics();
    const { health } = stack.use(
      await watchSources({
        config: parseConfig(JSON.stringify({ ...baseConfig(), scope }), "rollcast.yaml"),
        logger: silent,
        metrics,
        nats,
        client,
        key,
        failpoint: () => undefined,
        signal,
        times: { ...QUICK, ...times },
      }),
    );
    if (wait) await waitFor(() => health.ready() === undefined, { message: "the watcher" });
    return { ...health, metrics };
  });
}

export function startWatcherHarness(
  options: Pick<HarnessOptions<Nats>, "cluster" | "faultProxy"> = {},
): Promise<WatcherHarness> {
  const file = "installation-key";
  const config = ({ dir }: Harness<Nats>) => ({ installationKey: { file: join(dir, file) } });
  return startHarness(
    { cluster: "shared", namespace: "watch", nats: {}, client, config, ...options },
    (harness) => openHandles(harness, file),
  );
}

/** The events of one source, as `changed data`, `deleted deleted`, ... */
export function changesOf(events: readonly SourceEvent[], name: string): string[] {
  return events
    .filter(({ data }) => data.name === name)
    .map(({ type, data }) => `${type.split(".")[3]} ${data.reason}`);
}
