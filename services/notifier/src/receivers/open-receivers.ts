import { Security } from "@rollcast/shared/config/receivers";
import type { RateLimit, ReceiverConfig } from "@rollcast/shared/config/receivers";
import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import type { Templates } from "@rollcast/shared/config/templates";
import { ConfigError } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/runtime/logger";
import { readTrustedCa } from "../http/trusted-ca.ts";
import { compileTemplates } from "../message/templates.ts";
import type { ApplyTemplates } from "../message/templates.ts";
import { renderGoogleChat } from "./google-chat.ts";
import { openAlertmanager } from "./alertmanager.ts";
import { openHttpReceiver, readUrl, webhookFormat } from "./http-receiver.ts";
import type { HttpFormat } from "./http-receiver.ts";
import type { Receiver, ReceiverDeps, ReceiverOptions } from "./receiver.ts";
import { openSlackBot } from "./slack-bot.ts";
import { classifySlackAnswer, renderSlack } from "./slack-webhook.ts";
import { renderTeams } from "./teams.ts";

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
  return webhook === undefined ? undefined : webhookFormat(webhook, env);
}

/** The rate limit of a receiver. Chats accept about one message per second. */
export function rateLimitOf(config: ReceiverConfig): RateLimit {
  const isMachine = config.webhook !== undefined || config.alertmanager !== undefined;
  return config.rateLimit ?? { max: isMachine ? 10 : 1, per: 1_000 };
}

async function openReceiver(options: ReceiverOptions): Promise<Receiver | undefined> {
  const { slack, alertmanager } = options.config;
  if (slack?.tokenFrom !== undefined) return openSlackBot(options, slack);
  if (alertmanager !== undefined) return openAlertmanager(options, alertmanager);
  const format = httpFormatOf(options);
  return format === undefined ? undefined : openHttpReceiver(options, format);
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
      const ca = await readTrustedCa(settings.caFrom, deps.env);
      const options = { ...deps, config: settings, security, ca, applyTemplates };
      const receiver = await openReceiver(options);
      if (receiver !== undefined) opened.set(settings.name, receiver);
    } catch (err) {
      faults.push(`  ${settings.name}: ${err instanceof Error ? err.message : String(err)}`);
    }
  }
  if (faults.length === 0) return opened;
  await Promise.all(Array.from(opened.values(), (receiver) => receiver[Symbol.asyncDispose]()));
  throw new ConfigError(`invalid receivers:\n${faults.join("\n")}`);
}
