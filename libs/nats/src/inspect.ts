import type { Nats } from "./connect.ts";
import { natsErrorKind } from "./nats-error.ts";
import { BUCKETS, DEAD_LETTER_STREAM, EVENT_STREAM } from "./streams.ts";
import { quorumFault } from "./quorum.ts";

/** The oldest NATS server that has all that is used. */
export const MIN_SERVER = "2.12";

export type Inspection = {
  readonly version: string;
  readonly isNew: boolean;
  /** Streams that are not there. */
  readonly missing: readonly string[];
  /** Streams that this user may not ask about. */
  readonly forbidden: readonly string[];
  /** Why streams can store nothing, or what is not known of them. */
  readonly faults: readonly string[];
};

function isAtLeast(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

type StreamState = "ok" | "missing" | "forbidden" | { readonly fault: string };

async function inspectStream(nats: Nats, stream: string): Promise<StreamState> {
  try {
    const fault = quorumFault(await nats.jsm.streams.info(stream));
    return fault === undefined ? "ok" : { fault };
  } catch (err) {
    const kind = natsErrorKind(err);
    if (kind === "permission") return "forbidden";
    if (kind === "missing") return "missing";
    // Whose leader is gone is not answered for.
    const why = kind === "unanswered" || !(err instanceof Error) ? "no answer" : err.message;
    return { fault: `stream ${stream}: ${why}` };
  }
}

/** What a connection finds of the server and of what Rollcast keeps there. */
export async function inspectNats(nats: Nats): Promise<Inspection> {
  const version = nats.nc.info?.version ?? "unknown";
  const streams = [EVENT_STREAM, DEAD_LETTER_STREAM, ...BUCKETS.map((bucket) => `KV_${bucket}`)];
  const states = await Promise.all(streams.map((stream) => inspectStream(nats, stream)));
  const inState = (wanted: StreamState) => streams.filter((_, i) => states[i] === wanted);
  return {
    version,
    isNew: isAtLeast(version, MIN_SERVER),
    missing: inState("missing"),
    forbidden: inState("forbidden"),
    faults: states.flatMap((state) => (typeof state === "string" ? [] : [state.fault])),
  };
}
