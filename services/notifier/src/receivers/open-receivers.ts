import { Security } from "@rollcast/shared/config/receivers";
import type { RateLimit, ReceiverConfig } from "@rollcast/shared/config/receivers";
import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import type { Templates } from "@rollcast/shared/config/templates";
import { ConfigError } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/runtime/logger";
import { checkUrl } from "../http/address.ts";
import { createGuardedFetch } from "../http/guarded-fetch.ts";
import { compileTemplates } from "../message/templates.ts";
import type { ApplyTemplates } from "../message/templates.ts";
import { renderGoogleChat } from "./google-chat.ts";
import { createHttpReceiver, readUrl } from "./http-receiver.ts";
import type { HttpReceiverOptions } from "./http-receiver.ts";
import { openAlertmanager } from "./open-alertmanager.ts";
import { openSlackBot } from "./open-slack-bot.ts";
import type { ReceiverOptions, ReceiverDeps } from "./receiver-options.ts";
import type { Receiver } from "./receiver.ts";
import { classifySlackAnswer, renderSlack } from "./slack-webhook.ts";
import { renderTeams } from "./teams.ts";
import { readKeys, renderWebhook } from "./webhook.ts";

type HttpFormat = Pick<HttpReceiverOptions, "url" | "render" | "classify"> & {
  /** Throws when a required secret cannot be read. */
  check?: () => Promise<unknown>;
};

/** How to send to a receiver that takes one POST per message. */
function httpFormatOf({ config, env }: ReceiverOptions): HttpFormat | undefined {
  const { webhook, slack, teams, googleChat } = config;
  if (slack?.webhookUrlFrom !== undefined) {
    const ref = slack.webhookUrlFrom;
    const url = () => readUrl(ref, env, "slack.webhookUrlFrom");
    return { url, render: renderSlack, classify: classifySlackAnswer };
  }
  if (teams !== undefined) {
    return { url: () => readUrl(teams.urlFrom, env, "teams.urlFrom"), render: renderTeams };
  }
  if (googleChat !== undefined) {
    const url = () => readUrl(googleChat.urlFrom, env, "googleChat.urlFrom");
    return { url, render: renderGoogleChat };
  }
  if (webhook === undefined) return undefined;
  const { url = "", urlFrom } = webhook;
  return {
    url: async () =>
      urlFrom === undefined ? new URL(url) : readUrl(urlFrom, env, "webhook.urlFrom"),
    render: (message) => renderWebhook(message, webhook, env),
    check: () => readKeys(webhook, env),
  };
}

/** The rate limit of a receiver. Chats accept about one message per second. */
export function rateLimitOf(config: ReceiverConfig): RateLimit {
  const isMachine = config.webhook !== undefined || config.alertmanager !== undefined;
  return config.rateLimit ?? { max: isMachine ? 10 : 1, per: 1_000 };
}

async function openReceiver(options: ReceiverOptions): Promise<Receiver | undefined> {
  const { config, security, applyTemplates, env } = options;
  if (config.slack?.tokenFrom !== undefined) return openSlackBot(options, config.slack);
  if (config.alertmanager !== undefined) return openAlertmanager(options, config.alertmanager);
  const format = httpFormatOf(options);
  if (format === undefined) return undefined;
  const { check, ...http } = format;
  checkUrl(await format.url(), security);
  await check?.();
  const fetch = createGuardedFetch({ security, env });
  return createHttpReceiver({ name: config.name, fetch, applyTemplates, ...http });
}

function compileTemplatesOf(
  receiver: ReceiverConfig,
  all: Templates,
  logger: Logger,
): ApplyTemplates {
  const { name, templates = {} } = receiver;
  return compileTemplates(
    [
      { path: `notifier.receivers["${name}"].templates`, templates },
      { path: "notifier.templates", templates: all },
    ],
    (fault) => logger.warn({ receiver: name, fault }, "template failed, message sent without it"),
  );
}

/**
 * Opens every receiver, by name. Throws one {@link ConfigError} that names each invalid one: a
 * missing secret, an address that is not allowed.
 */
export async function openReceivers(
  config: Pick<NotifierConfig, "receivers" | "templates">,
  deps: ReceiverDeps,
): Promise<ReadonlyMap<string, Receiver>> {
  const opened = new Map<string, Receiver>();
  const faults: string[] = [];
  for (const settings of config.receivers) {
    try {
      const applyTemplates = compileTemplatesOf(settings, config.templates, deps.logger);
      const security = settings.security ?? Security.parse({});
      const receiver = await openReceiver({ ...deps, config: settings, security, applyTemplates });
      if (receiver !== undefined) opened.set(settings.name, receiver);
    } catch (err) {
      faults.push(`  ${settings.name}: ${err instanceof Error ? err.message : String(err)}`);
    }
  }
  if (faults.length === 0) return opened;
  await Promise.all(Array.from(opened.values(), (receiver) => receiver[Symbol.asyncDispose]()));
  throw new ConfigError(`invalid receivers:\n${faults.join("\n")}`);
}
