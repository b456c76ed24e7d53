import { toError } from "../errors.ts";
import { ANSWER_MS, within } from "../within.ts";
import type { Nats } from "./connect.ts";
import { EVENT_STREAM } from "./provision.ts";

/**
 * Why nothing can be stored or consumed now, or undefined. The leader of the event stream is asked: a connection that stands proves nothing where a cluster of
 * NATS has lost its majority, or where the server hangs.
 */
export async function servingFault(nats: Nats): Promise<string | undefined> {
  const fault = nats.fault();
  if (fault !== undefined) return fault;
  try {
    await within(ANSWER_MS, nats.jsm.streams.info(EVENT_STREAM));
    return undefined;
  } catch (err) {
    return nats.fault() ?? `stream ${EVENT_STREAM}: ${toError(err).message}`;
  }
}
