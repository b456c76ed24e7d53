import { JetStreamApiCodes, JetStreamApiError, StorageType } from "@nats-io/jetstream";
import type { StreamConfig, StreamInfo } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { ConfigError } from "@rollcast/shared/errors";
import type { Nats } from "./connect.ts";
import { quorumFault } from "./quorum.ts";
import { BUCKETS, DEAD_LETTER_STREAM, EVENT_STREAM, MIB, STREAMS } from "./streams.ts";
import type { Bucket } from "./streams.ts";

const MARKER_TTL_MS = 3_600_000;
const MIN_SERVER = [2, 12] as const;
/** Changing one of these on an existing stream would lose or reinterpret what it holds. */
const FIXED = ["retention", "storage", "deny_delete", "deny_purge"] as const;

function checkServer(nats: Nats): void {
  const version = nats.nc.info?.version ?? "0.0.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < MIN_SERVER[0] || (major === MIN_SERVER[0] && minor < MIN_SERVER[1])) {
    throw new ConfigError(
      `nats-server is ${version}: Rollcast needs ${MIN_SERVER.join(".")} or newer`,
    );
  }
}

/**
 * The stream as it is, or undefined where there is none; any other failure is thrown, so that an
 * outage is not taken for an empty server.
 */
async function find(nats: Nats, name: string): Promise<StreamInfo | undefined> {
  const info = await ask(nats, name);
  const fault = info === undefined ? undefined : quorumFault(info);
  if (fault !== undefined) throw new Error(fault);
  return info;
}

async function ask(nats: Nats, name: string): Promise<StreamInfo | undefined> {
  try {
    return await nats.jsm.streams.info(name);
  } catch (err) {
    if (err instanceof JetStreamApiError && err.code === JetStreamApiCodes.StreamNotFound) {
      return undefined;
    }
    if (err instanceof Error && err.name === "JetStreamNotEnabled") {
      throw new ConfigError("NATS has no JetStream: enable it on the server and for the account", {
        cause: err,
      });
    }
    throw err;
  }
}

async function ensureStream(
  nats: Nats,
  wanted: Partial<StreamConfig> & { name: string },
): Promise<void> {
  const existing = await find(nats, wanted.name);
  if (existing === undefined) {
    await nats.jsm.streams.add(wanted);
    return;
  }
  const { config } = existing;
  const faults = FIXED.filter((key) => wanted[key] !== undefined && wanted[key] !== config[key]);
  const missing = (wanted.subjects ?? []).filter((s) => !config.subjects.includes(s));
  if (faults.length > 0) {
    throw new ConfigError(
      `stream ${wanted.name} exists with another ${faults.join(", ")}: changing it would lose what it holds; remove or rename it`,
    );
  }
  if (missing.length === 0) return;
  // One stream's subjects must not overlap.
  const covered = (subject: string) =>
    missing.some((added) => added.endsWith(">") && subject.startsWith(added.slice(0, -1)));
  const subjects = [...config.subjects.filter((subject) => !covered(subject)), ...missing];
  await nats.jsm.streams.update(wanted.name, { ...config, subjects });
}

async function ensureBucket(nats: Nats, bucket: Bucket, replicas: number): Promise<void> {
  const existing = await find(nats, `KV_${bucket}`);
  if (existing === undefined) {
    await new Kvm(nats.js).create(bucket, {
      history: 1,
      replicas,
      storage: StorageType.File,
      markerTTL: MARKER_TTL_MS,
      maxValueSize: MIB,
      allow_direct: false,
      description: `Rollcast: ${bucket}`,
    });
    return;
  }
  const { config } = existing;
  if (config.max_msgs_per_subject !== 1 || config.allow_direct) {
    throw new ConfigError(
      `bucket ${bucket} exists with another history or with direct reads: it was not made by Rollcast; remove or rename it`,
    );
  }
  if (!config.allow_msg_ttl) {
    // Without it the server refuses every removal, since its marker is to expire.
    await nats.jsm.streams.update(config.name, {
      ...config,
      allow_msg_ttl: true,
      subject_delete_marker_ttl: MARKER_TTL_MS * 1_000_000,
    });
  }
}

/** The streams and buckets that a service works on. */
export type JetStreamResources = {
  readonly streams: readonly (typeof EVENT_STREAM | typeof DEAD_LETTER_STREAM)[];
  readonly buckets: readonly Bucket[];
};

const EVERYTHING: JetStreamResources = {
  streams: [EVENT_STREAM, DEAD_LETTER_STREAM],
  buckets: BUCKETS,
};

/**
 * Makes the streams and buckets, or checks those that are there: settings the operator may own
 * (limits, ages, replicas) are left as they are; a difference that could only be mended by losing
 * data is refused ({@link ConfigError}). Safe to run from every replica at once.
 */
export async function provision(
  nats: Nats,
  replicas: number,
  resources: JetStreamResources = EVERYTHING,
): Promise<void> {
  checkServer(nats);
  for (const stream of STREAMS) {
    if (resources.streams.some((name) => name === stream.name)) {
      await ensureStream(nats, { ...stream, num_replicas: replicas });
    }
  }
  for (const bucket of resources.buckets) await ensureBucket(nats, bucket, replicas);
}
