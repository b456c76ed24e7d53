import type { Nats } from "./connect.ts";
import { BUCKETS, DEAD_LETTER_STREAM, EVENT_STREAM } from "./provision.ts";

/** The oldest NATS server that has all that is used. */
export const MIN_SERVER = "2.12";

export type Inspection = {
  readonly version: string;
  readonly isNew: boolean;
  /** Streams that are not there, or not for this user. */
  readonly missing: readonly string[];
};

function isAtLeast(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** What a connection finds of the server and of what Rollcast keeps there. */
export async function inspectNats(nats: Nats): Promise<Inspection> {
  const version = nats.nc.info?.version ?? "unknown";
  const streams = [EVENT_STREAM, DEAD_LETTER_STREAM, ...BUCKETS.map((bucket) => `KV_${bucket}`)];
  const found = await Promise.all(
    streams.map((stream) =>
      nats.jsm.streams.info(stream).then(
        () => true,
        () => false,
      ),
    ),
  );
  return {
    version,
    isNew: isAtLeast(version, MIN_SERVER),
    missing: streams.filter((_, i) => found[i] !== true),
  };
}
