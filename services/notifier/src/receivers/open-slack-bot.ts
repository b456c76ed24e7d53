import type { SlackReceiver } from "@rollcast/shared/config/receiver-kinds";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { ConfigError } from "@rollcast/shared/errors";
import { checkUrl } from "../http/address.ts";
import { acquireLease } from "../message-log/lease.ts";
import { createGuardedFetch } from "../http/guarded-fetch.ts";
import { messageLogKey } from "../model/record-keys.ts";
import type { ReceiverOptions } from "./receiver-options.ts";
import type { Receiver } from "./receiver.ts";
import { createSlackApi } from "./slack-api.ts";
import { createSlackBot } from "./slack-bot.ts";

const SLACK_API = "https://slack.com/api/";

/**
 * Opens a Slack bot. Throws {@link ConfigError} when its token cannot be read or its address is not
 * allowed.
 */
export async function openSlackBot(
  options: ReceiverOptions,
  slack: SlackReceiver,
): Promise<Receiver> {
  const { config, security, env, cluster, records, applyTemplates, failpoint, pace } = options;
  const { name } = config;
  const { tokenFrom, channel = "", thread = true } = slack;
  if (tokenFrom === undefined) throw new ConfigError("there is no token");
  const token = () => readSecret(tokenFrom, env, "slack.tokenFrom");
  const base = new URL(slack.apiUrl ?? SLACK_API);
  checkUrl(base, security);
  await token();
  const fetch = createGuardedFetch({ security, env });
  const where = `${base.host} ${channel}`;
  const call = createSlackApi({ fetch, base, token, pace: (signal) => pace(where, signal) });
  const key = messageLogKey(cluster, name);
  const acquire = (signal: AbortSignal) => acquireLease({ records, key, receiver: name, signal });
  return createSlackBot({
    name,
    fetch,
    call,
    channel,
    thread,
    cluster,
    acquireLease: acquire,
    applyTemplates,
    failpoint,
  });
}
