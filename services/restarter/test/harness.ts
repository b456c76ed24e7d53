import { createHash } from "node:crypto";
import { stableId } from "@rollcast/shared/events";
import { sourceEvent } from "@rollcast/shared/event-builders";
import { ensureInstallation, openInstallation } from "@rollcast/nats/installation";
import type { RolloutData } from "@rollcast/shared/events";
import { parseConfig } from "@rollcast/runtime/config/load";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { Nats } from "@rollcast/nats/connect";
import { readEvents } from "@rollcast/nats/history";
import { openKv } from "@rollcast/nats/kv";
import type { Kv } from "@rollcast/nats/kv";
import { provision } from "@rollcast/nats/provision";
import { publish } from "@rollcast/nats/publish";
import { SourceRecord, recordChange } from "@rollcast/shared/records";
import { recordKey, sourceSubject } from "@rollcast/shared/subjects";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { paths } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { DeploymentShape } from "@rollcast/testkit/deployment";
import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import { startHarness } from "@rollcast/testkit/harness/harness";
import type {
  Extended,
  Harness,
  HarnessOptions,
  StartOptions,
} from "@rollcast/testkit/harness/harness-types";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { contentDigest } from "../src/model/content.ts";
import { openControl } from "../src/operations/control.ts";
import type { Control } from "../src/operations/control.ts";
import { WorkloadRecord } from "../src/model/workload-record.ts";

export { faultsOf, wordsOf } from "@rollcast/testkit/harness/find-events";

/**
 * Restarters on real servers, with a source written as the watcher writes it: its record, then its
 * event. So a test controls to the millisecond when content changes, and only the restarter acts.
 */
export type RestarterHarness = Extended<Nats, RestarterHandles>;

type RestarterHandles = {
  /** Starts a restarter. */
  start(options?: StartOptions): Promise<Service>;
  /** Gives the source new content: the record, then the event. Survives an outage of NATS. */
  change(name: string, content: string, manager?: string): Promise<void>;
  /** Writes the record as the first sync does: without an event. */
  adopt(name: string, content: string): Promise<void>;
  deploy(name: string, shape: DeploymentShape): Promise<void>;
  /** Deploys `count` Deployments without replicas that use the ConfigMap `cfg`; their names. */
  deployMany(count: number, replicas?: number): Promise<string[]>;
  /** A Deployment by default. */
  record(name: string, kind?: string): Promise<WorkloadRecord | undefined>;
  /** Waits until workloads of a kind are adopted, or rolled. */
  waitCurrent(kind: string, ...names: readonly string[]): Promise<void>;
  waitRecord(
    name: string,
    predicate: (record: WorkloadRecord) => boolean,
    timeout?: number,
  ): Promise<WorkloadRecord>;
  /**
   * Waits until the records of all workloads say that nothing is left to do, with the newest
   * content of the source.
   */
  waitAll(names: readonly string[], timeout?: number): Promise<void>;
  /** Waits for the `count`th rollout event of this word for a workload, and returns its data. */
  waitEvent(outcome: string, workload: string, count?: number): Promise<RolloutData>;
  /** Operations, from a replica without workloads. */
  operate(queues?: readonly object[]): Promise<Control>;
  get(name: string): Promise<AnyObject>;
};

type RestarterOptions = Pick<HarnessOptions<Nats>, "cluster" | "faultProxy" | "user"> & {
  config?: object;
};

const logger = createLogger("harness", "silent");

export const client = {
  connect: (to: { url: string }) => connectNats({ ...to, name: "harness", logger }),
  async provision(nats: Nats) {
    await provision(nats, 1);
    const installation = { now: Date.now(), keyId: KEY_ID };
    await ensureInstallation(await openInstallation(nats), CLUSTER, installation);
  },
  readEvents,
};

/** Id of the installation key of the harness's records. */
const KEY_ID = "k1";

function digest(content: string): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 32);
}

/** The record of a ConfigMap with one key `a`. */
function sourceRecord(namespace: string, name: string, content: string): SourceRecord {
  return {
    v: 1,
    kind: "ConfigMap",
    namespace,
    name,
    uid: `uid-${name}`,
    resourceVersion: "1",
    keyId: KEY_ID,
    digests: { a: digest(content) },
    state: "published",
    change: "none",
    createdAt: Date.now() - 3_600_000,
    annotations: {},
  };
}

async function retrying<T>(work: () => Promise<T>): Promise<T> {
  return waitFor(async () => ({ done: await work() }), {
    timeout: 60_000,
    message: "NATS to take a write",
  }).then(({ done }) => done);
}

function sourceWriter(nats: Nats, sources: Kv<SourceRecord>, namespace: string) {
  let version = 1;
  const put = (record: SourceRecord) =>
    retrying(async () => {
      const key = recordKey(CLUSTER, record);
      const before = await sources.get(key);
      const revision =
        before === undefined
          ? await sources.create(key, record)
          : await sources.update(
              key,
              { ...record, ...recordChange(before.value) },
              before.revision,
            );
      if (revision === undefined) throw new Error("somebody else wrote the record");
    });
  return {
    adopt: (name: string, content: string) => put(sourceRecord(namespace, name, content)),
    async change(name: string, content: string, manager = "kubectl-edit") {
      const resourceVersion = String(++version);
      const record: SourceRecord = {
        ...sourceRecord(namespace, name, content),
        resourceVersion,
        change: "changed",
        changedAt: Date.now(),
        changedKeys: { added: [], changed: ["a"], removed: [] },
        changedBy: { manager },
      };
      await put(record);
      const parts = {
        id: stableId(record.uid, resourceVersion),
        cluster: CLUSTER,
        service: "watcher",
        time: record.changedAt ?? 0,
      };
      const event = sourceEvent(parts, "changed", {
        kind: "ConfigMap",
        namespace,
        name,
        uid: record.uid,
        resourceVersion,
        changedKeys: { added: [], changed: ["a"], removed: [] },
        changedBy: { manager },
        reason: "DataChanged",
      });
      const subject = sourceSubject(CLUSTER, "changed", record);
      await publish(nats, subject, event, AbortSignal.timeout(60_000));
    },
  };
}

async function openHandles(harness: Harness<Nats>): Promise<RestarterHandles> {
  const { api, namespace, connection } = harness;
  const records = await openKv(connection, "workloads", WorkloadRecord);
  const sources = await openKv(connection, "sources", SourceRecord);
  const { adopt, change } = sourceWriter(connection, sources, namespace);
  const { start, waitEvent } = harness;
  const record = async (name: string, kind = "Deployment") =>
    (await records.get(recordKey(CLUSTER, { kind, namespace, name })))?.value;
  const deploy = async (name: string, shape: DeploymentShape) => {
    await api.create(paths.deployment(namespace), deployment(namespace, name, shape));
  };
  const waitRecord = (
    name: string,
    predicate: (candidate: WorkloadRecord) => boolean,
    timeout = 30_000,
  ) =>
    waitFor(
      async () => {
        const current = await record(name);
        return current !== undefined && predicate(current) ? current : undefined;
      },
      { message: `the record of ${name}`, timeout },
    );
  return {
    start: (options) => start("restarter", options),
    change,
    adopt,
    deploy,
    async deployMany(count, replicas = 0) {
      const names = Array.from({ length: count }, (_, i) => `web-${i}`);
      for (let i = 0; i < count; i += 25) {
        await Promise.all(
          names
            .slice(i, i + 25)
            .map((name) => deploy(name, { uses: [{ as: "envFrom", configMap: "cfg" }], replicas })),
        );
      }
      return names;
    },
    record,
    waitRecord,
    async waitCurrent(kind, ...names) {
      for (const name of names) {
        await waitFor(async () => (await record(name, kind))?.phase === "current", {
          message: `${kind} ${name} to be current`,
          timeout: 60_000,
        });
      }
    },
    async waitAll(names, timeout = 60_000) {
      const isCurrent = async (name: string) => {
        const ref = { kind: "ConfigMap", namespace, name: "cfg" };
        const source = await sources.get(recordKey(CLUSTER, ref));
        const current = await record(name);
        if (current?.phase !== "current" || current.outbox.length > 0) return false;
        return Object.values(current.running)[0]?.digest === contentDigest(source?.value, "*");
      };
      let left = [...names];
      await waitFor(
        async () => {
          const states = await Promise.all(left.map(isCurrent));
          left = left.filter((_, i) => states[i] !== true);
          return left.length === 0;
        },
        { timeout, message: "every workload to be current", every: 200 },
      ).catch(async (err: unknown) => {
        const [first = ""] = left;
        const state = JSON.stringify(await record(first));
        throw new Error(`${left.length} workloads are not current, ${first}: ${state}`, {
          cause: err,
        });
      });
    },
    waitEvent: async (...event) => (await waitEvent(...event)).data as RolloutData,
    async operate(queues = []) {
      const config = parseConfig(
        JSON.stringify({ apiVersion: "rollcast.dev/v1", kind: "Config", cluster: CLUSTER, queues }),
        "operate.yaml",
      );
      const { signal } = harness;
      const workload = () => undefined;
      const failpoint = () => undefined;
      const ending = signal;
      const nats = connection;
      return openControl({ config, nats, workload, logger, signal, ending, failpoint });
    },
    get: (name) => api.get(paths.deployment(namespace, name)),
  };
}

export function startRestarterHarness({
  config,
  ...options
}: RestarterOptions = {}): Promise<RestarterHarness> {
  const queues = [{ name: "default", window: "200ms" }];
  return startHarness(
    {
      cluster: "shared",
      namespace: "harness",
      nats: {},
      redis: {},
      client,
      config: () => ({ queues, ...config }),
      ...options,
    },
    openHandles,
  );
}
