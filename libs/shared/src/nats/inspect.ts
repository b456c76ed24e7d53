import { TimeoutError } from "@nats-io/transport-node";
import type { Nats } from "./connect.ts";
import { BUCKETS, DEAD_LETTER_STREAM, EVENT_STREAM } from "./provision.ts";
import { quorumFault } from "./quorum.ts";

/** The oldest NATS server that has all that is used. */
export const MIN_SERVER = "2.12";

export type Inspection = {
  readonly version: string;
  readonly isNew: boolean;
  /** Streams that are not there, or not for this user. */
  readonly missing: readonly string[];
  /** Why streams that are there can store nothing. */
  readonly faults: readonly string[];
};

function isAtLeast(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** Whether a stream is there, and why it can store nothing. */
async function look(nats: Nats, stream: string): Promise<{ isThere: boolean; fault?: string }> {
  try {
    const fault = quorumFault(await nats.jsm.streams.info(stream));
    return { isThere: true, ...(fault === undefined ? {} : { fault }) };
  } catch (err) {
    // Whose leader is gone is not answered for.
    if (err instanceof TimeoutError) return { isThere: true, fault: `stream ${stream}: no answer` };
    return { isThere: false };
  }
}

/** What a connection finds of the server and of what Rollcast keeps there. */
export async function inspectNats(nats: Nats): Promise<Inspection> {
  const version = nats.nc.info?.version ?? "unknown";
  const streams = [EVENT_STREAM, DEAD_LETTER_STREAM, ...BUCKETS.map((bucket) => `KV_${bucket}`)];
  const found = await Promise.all(streams.map((stream) => look(nats, stream)));
  return {
    version,
    isNew: isAtLeast(version, MIN_SERVER),
    missing: streams.filter((_, i) => found[i]?.isThere !== true),
    faults: found.flatMap(({ fault }) => fault ?? []),
  };
}
