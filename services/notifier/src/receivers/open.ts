import type { Env } from "@rollcast/shared/config/load";
import { Security } from "@rollcast/shared/config/notifier";
import type { RateLimit, Receiver as ReceiverConfig } from "@rollcast/shared/config/notifier";
import { ConfigError } from "@rollcast/shared/errors";
import { checkUrl } from "../address.ts";
import { createGuardedFetch } from "../guarded-fetch.ts";
import { renderGoogleChat } from "./google-chat.ts";
import { createHttpReceiver, readUrl } from "./http.ts";
import type { HttpReceiverOptions } from "./http.ts";
import type { Receiver } from "./receiver.ts";
import { judgeSlack, renderSlack } from "./slack.ts";
import { renderTeams } from "./teams.ts";
import { readKeys, renderWebhook } from "./webhook.ts";

type Form = Pick<HttpReceiverOptions, "url" | "render" | "judge"> & {
  /** Throws where a secret that it needs cannot be read. */
  check?: () => Promise<unknown>;
};

/** What kind of receiver it is; undefined for one that tells nobody. */
function formOf(config: ReceiverConfig, env: Env): Form | undefined {
  const { webhook, slack, teams, googleChat } = config;
  if (slack !== undefined) {
    const url = () => readUrl(slack.webhookUrlFrom, env);
    return { url, render: renderSlack, judge: judgeSlack };
  }
  if (teams !== undefined) return { url: () => readUrl(teams.urlFrom, env), render: renderTeams };
  if (googleChat !== undefined) {
    return { url: () => readUrl(googleChat.urlFrom, env), render: renderGoogleChat };
  }
  if (webhook === undefined) return undefined;
  const { url = "", urlFrom } = webhook;
  return {
    url: async () => (urlFrom === undefined ? new URL(url) : readUrl(urlFrom, env)),
    render: (message) => renderWebhook(message, webhook, env),
    check: () => readKeys(webhook, env),
  };
}

/** How fast a receiver may be sent to: chats take about a message a second. */
export function rateLimitOf(config: ReceiverConfig): RateLimit {
  return config.rateLimit ?? { max: config.webhook === undefined ? 1 : 10, per: 1_000 };
}

async function openReceiver(config: ReceiverConfig, env: Env): Promise<Receiver | undefined> {
  const form = formOf(config, env);
  if (form === undefined) return undefined;
  const { check, ...rest } = form;
  const security = config.security ?? Security.parse({});
  checkUrl(await form.url(), security);
  await check?.();
  return createHttpReceiver({
    name: config.name,
    fetch: createGuardedFetch({ security }),
    ...rest,
  });
}

/** Opens every receiver by its name. Throws one {@link ConfigError} that names each one that cannot work: a missing secret, an address it may not be sent to. */
export async function openReceivers(
  configs: readonly ReceiverConfig[],
  env: Env,
): Promise<ReadonlyMap<string, Receiver>> {
  const opened = new Map<string, Receiver>();
  const faults: string[] = [];
  for (const config of configs) {
    try {
      const receiver = await openReceiver(config, env);
      if (receiver !== undefined) opened.set(config.name, receiver);
    } catch (err) {
      faults.push(`  ${config.name}: ${err instanceof Error ? err.message : String(err)}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(`receivers are refused:\n${faults.join("\n")}`);
  return opened;
}
