import type { AlertmanagerReceiver } from "@rollcast/shared/config/receiver-kinds";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { checkUrl } from "../http/address.ts";
import { createGuardedFetch } from "../http/guarded-fetch.ts";
import { createAlertmanager } from "./alertmanager.ts";
import type { ReceiverOptions } from "./receiver-options.ts";
import type { Receiver } from "./receiver.ts";

/** Opens a cluster of Alertmanagers. Throws {@link ConfigError} as {@link openSlackBot} does. */
export async function openAlertmanager(
  options: ReceiverOptions,
  alertmanager: AlertmanagerReceiver,
): Promise<Receiver> {
  const { config, security, env, cluster, records, applyTemplates, logger } = options;
  const { tokenFrom, labels, generatorUrl, resolveAfter, resendInterval } = alertmanager;
  const urls = alertmanager.urls.map((url) => new URL(url));
  for (const url of urls) checkUrl(url, security);
  const token = async () =>
    tokenFrom === undefined ? undefined : readSecret(tokenFrom, env, "alertmanager.tokenFrom");
  await token();
  return createAlertmanager({
    name: config.name,
    records,
    cluster,
    fetch: createGuardedFetch({ security, env }),
    urls,
    token,
    settings: { cluster, labels, generatorUrl, resolveAfterMs: resolveAfter },
    resendMs: resendInterval,
    applyTemplates,
    logger,
  });
}
