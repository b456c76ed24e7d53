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
import { provision } from "@rollcast/nats/provision";
import { EVENT_STREAM } from "@rollcast/nats/streams";
import { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import { writeKubeconfig } from "@rollcast/testkit/write-kubeconfig";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";
import { tokenOf } from "@rollcast/testkit/users";
import type { User } from "@rollcast/testkit/users";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer } from "@rollcast/testkit/nats";
import { waitFor } from "@rollcast/testkit/wait";
import { installationKey } from "../src/model/digest.ts";
import type { InstallationKey } from "../src/model/digest.ts";
import { watchSources } from "../src/watch-sources.ts";
import type { SourceWatch } from "../src/watch-sources.ts";

export const CLUSTER = "test";
export const silent = createLogger("watcher", "silent");

export const QUICK: Partial<ReflectorTimes> = { backoff: { initial: 50, max: 1_000 } };

/** A NATS server of its own, and what the watchers under test share. */
export type Harness = AsyncDisposable & {
  readonly server: NatsServer;
  readonly nats: Nats;
  readonly key: InstallationKey;
  /** Path of a file with the key. */
  readonly keyFile: string;
  readonly kv: Awaited<ReturnType<typeof openRecords>>;
  /** Every event of the stream so far, in order. */
  events(): Promise<SourceEvent[]>;
  /** The record of a source. */
  record(kind: string, namespace: string, name: string): Promise<SourceRecord | undefined>;
  /** Every record by its key. */
  records(): Promise<Map<string, SourceRecord>>;
};

const openRecords = (nats: Nats) => openKv(nats, "sources", SourceRecord);

export async function startHarness(dir: string): Promise<Harness> {
  await using opening = new AsyncDisposableStack();
  const server = opening.use(await startNats());
  const nats = opening.use(await connectNats({ url: server.url, name: "test", logger: silent }));
  await provision(nats, 1);
  const kv = await openRecords(nats);
  const bytes = randomBytes(32);
  const keyFile = join(dir, `key-${server.port}`);
  await writeFile(keyFile, bytes);
  const events: SourceEvent[] = [];
  const owned = opening.move();
  return {
    server,
    nats,
    key: installationKey(bytes),
    keyFile,
    kv,
    async events() {
      const { state } = await nats.jsm.streams.info(EVENT_STREAM);
      for (let seq = events.length + 1; seq <= state.last_seq; seq++) {
        const message = await nats.jsm.streams.getMessage(EVENT_STREAM, { seq });
        if (message === null) throw new Error(`message ${seq} is gone`);
        events.push(SourceEvent.parse(message.json()));
      }
      return events;
    },
    record: async (kind, namespace, name) =>
      (await kv.get(recordKey(CLUSTER, { kind, namespace, name })))?.value,
    async records() {
      const byKey = new Map<string, SourceRecord>();
      for await (const { key, value } of kv.snapshot(sourceKeys(CLUSTER))) byKey.set(key, value);
      return byKey;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export type StartOptions = {
  harness: Harness;
  cluster: ClusterAccess;
  scope: object;
  /** URL of a proxy in front of the API server. */
  url?: string;
  user?: User;
  times?: Partial<ReflectorTimes>;
  key?: InstallationKey;
  /** A NATS address other than the harness's, e.g. a proxy. */
  natsUrl?: string;
};

export type Started = AsyncDisposable &
  SourceWatch["health"] & { readonly metrics: ReturnType<typeof createMetrics> };

/** Starts a watcher in this process and, unless `wait` is false, waits until it is ready. */
export async function startInProcess(options: StartOptions, wait = true): Promise<Started> {
  await using opening = new AsyncDisposableStack();
  const { harness, cluster, url = cluster.url, user = "admin" } = options;
  const file = join(cluster.dir, `watcher-${user}-${new URL(url).port}.kubeconfig`);
  const { caFile } = cluster;
  const kubeconfig = await writeKubeconfig(file, { url, caFile, token: tokenOf(user) });
  const client = opening.use(await connectKube({ logger: silent, kubeconfig }));
  const nats = opening.use(
    await connectNats({
      url: options.natsUrl ?? harness.server.url,
      name: "watcher",
      logger: silent,
    }),
  );
  const text = JSON.stringify(configOf(options.scope));
  const metrics = createMetrics();
  const stop = new AbortController();
  opening.defer(() => stop.abort());
  const watcher = opening.use(
    await watchSources({
      config: parseConfig(text, "rollcast.yaml"),
      logger: silent,
      metrics,
      nats,
      client,
      key: options.key ?? harness.key,
      failpoint: () => undefined,
      signal: stop.signal,
      times: { ...QUICK, ...options.times },
    }),
  );
  if (wait) await waitFor(() => watcher.health.ready() === undefined, { message: "the watcher" });
  const owned = opening.move();
  return { ...watcher.health, metrics, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export function configOf(scope: object): object {
  return { apiVersion: "rollcast.dev/v1", kind: "Config", cluster: CLUSTER, scope };
}

/** The events of one source, as `changed data`, `deleted deleted`, ... */
export function changesOf(events: readonly SourceEvent[], name: string): string[] {
  return events
    .filter(({ data }) => data.name === name)
    .map(({ type, data }) => `${type.split(".")[3]} ${data.reason}`);
}
