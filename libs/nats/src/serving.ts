import { toError } from "@rollcast/shared/errors";
import { ANSWER_MS, withDeadline } from "@rollcast/async/deadline";
import type { Nats } from "./connect.ts";
import { EVENT_STREAM } from "./streams.ts";
import { quorumFault } from "./quorum.ts";

/**
 * Why nothing can be stored or consumed now, or undefined. The event stream is asked for its leader
 * and its copies: a connection that stands proves nothing where the server hangs, nor an answer
 * where a cluster of NATS has lost its majority.
 */
export async function servingFault(nats: Nats): Promise<string | undefined> {
  const fault = nats.fault();
  if (fault !== undefined) return fault;
  try {
    return quorumFault(await withDeadline(ANSWER_MS, nats.jsm.streams.info(EVENT_STREAM)));
  } catch (err) {
    return nats.fault() ?? `stream ${EVENT_STREAM}: ${toError(err).message}`;
  }
}
