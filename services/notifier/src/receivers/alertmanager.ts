import type { AlertmanagerReceiver } from "@rollcast/shared/config/receiver-kinds";
import type { RolloutEvent } from "@rollcast/shared/events";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { createAlertStore } from "../alert/alert-store.ts";
import { ALERT_OUTCOMES, alertsOf } from "../alert/alert.ts";
import type { Alert, AlertSettings, AlertText } from "../alert/alert.ts";
import { classifyAnswer, classifyError, redactSecrets } from "../http/classify-answer.ts";
import type { SendResult } from "../http/classify-answer.ts";
import { checkUrl, createGuardedFetch } from "../http/guarded-fetch.ts";
import type { GuardedFetch } from "../http/guarded-fetch.ts";
import { messageOf, outcomeOf } from "../message/message.ts";
import type { Message } from "../message/message.ts";
import { cut } from "../message/text.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { Receiver, ReceiverOptions } from "./receiver.ts";

type Instances = {
  readonly fetch: GuardedFetch;
  /**
   * Every instance of an Alertmanager cluster, without `/api/v2/alerts`: instances do not share
   * alerts.
   */
  readonly urls: readonly URL[];
  /** Sent as `Authorization: Bearer`; undefined for none. */
  readonly token: () => Promise<string | undefined>;
};

/** Alerts per request. */
const BATCH = 64;

function endpoint(base: URL): URL {
  return new URL(`${base.pathname.replace(/\/+$/, "")}/api/v2/alerts`, base);
}

async function postTo(
  to: Instances,
  base: URL,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<SendResult> {
  try {
    const token = await to.token();
    const headers = {
      "content-type": JSON_TYPE,
      "user-agent": "rollcast-notifier",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const body = JSON.stringify(alerts);
    const answer = await to.fetch.post({ url: endpoint(base), headers, body }, signal);
    const secrets = token === undefined ? [] : [token];
    return classifyAnswer(redactSecrets(answer, secrets), Date.now());
  } catch (err) {
    if (signal.aborted) throw err;
    return classifyError(err);
  }
}

/**
 * Best first: one instance that accepted the alerts is enough, since they are resent to the others
 * soon.
 */
const BEST: readonly SendResult["kind"][] = ["sent", "later", "failed", "refused"];

async function postBatch(
  to: Instances,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<SendResult> {
  const results = await Promise.all(to.urls.map((url) => postTo(to, url, alerts, signal)));
  const rank = ({ kind }: SendResult) => BEST.indexOf(kind);
  const [best = { kind: "sent" as const }] = results.toSorted((a, b) => rank(a) - rank(b));
  return best;
}

async function postAll(
  to: Instances,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<SendResult> {
  for (let i = 0; i < alerts.length; i += BATCH) {
    const result = await postBatch(to, alerts.slice(i, i + BATCH), signal);
    if (result.kind !== "sent") return result;
  }
  return { kind: "sent" };
}

const SUMMARY_LIMIT = 300;
const DESCRIPTION_LIMIT = 2_000;

/** The texts of one event's alert. */
export function alertText(message: Message): AlertText {
  const next = message.next.length === 0 ? "" : `\nNext:\n${message.next.join("\n")}`;
  return {
    summary: cut(message.title, SUMMARY_LIMIT),
    description: `${cut(message.text, DESCRIPTION_LIMIT - next.length)}${next}`,
  };
}

/**
 * Opens an Alertmanager, or a cluster of them. A failed or stalled rollout fires an alert for its
 * workload; the workload's next success resolves it. Firing alerts are stored and resent every
 * `resendInterval`, as Alertmanager expects of its clients. Throws {@link ConfigError} when its
 * token cannot be read, {@link AddressRefusedError} when an address is not allowed.
 */
export async function openAlertmanager(
  options: ReceiverOptions,
  alertmanager: AlertmanagerReceiver,
): Promise<Receiver> {
  const { config, security, ca, env, cluster, records, applyTemplates, logger } = options;
  const { name } = config;
  const { tokenFrom, labels, generatorUrl, resolveAfter, resendInterval } = alertmanager;
  const urls = alertmanager.urls.map((url) => new URL(url));
  for (const url of urls) checkUrl(url, security);
  const token = async () =>
    tokenFrom === undefined ? undefined : readSecret(tokenFrom, env, "alertmanager.tokenFrom");
  await token();
  const to: Instances = { fetch: createGuardedFetch({ security, ca, env }), urls, token };
  const settings: AlertSettings = { cluster, labels, generatorUrl, resolveAfterMs: resolveAfter };
  const text = (event: RolloutEvent): AlertText =>
    alertText(
      applyTemplates(messageOf({ id: "", events: [event], labels: {}, createdAt: 0 }, cluster)),
    );
  const store = createAlertStore({
    records,
    cluster,
    receiver: name,
    settings,
    text,
    logger,
  });
  const stop = new AbortController();
  const resend = async () => {
    const now = Date.now();
    const alerts = (await store.all()).flatMap((record) => alertsOf(record, settings, now));
    const result = await postAll(to, alerts, stop.signal);
    if (result.kind === "sent") return;
    logger.warn({ receiver: name, reason: result.reason }, "alerts not resent, retrying");
  };
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= resend()
      .catch((err: unknown) => {
        if (!stop.signal.aborted) logger.warn({ err, receiver: name }, "alerts not resent");
      })
      .finally(() => {
        running = undefined;
      });
  }, resendInterval).unref();
  return {
    name,
    async send(message, signal): Promise<SendResult> {
      try {
        const relevant = message.events.filter((event) => ALERT_OUTCOMES.has(outcomeOf(event)));
        // A message without alerts, e.g. a test of the receiver, only checks that the Alertmanager
        // answers.
        if (relevant.length === 0) return await postBatch(to, [], signal);
        const now = Date.now();
        const records = await store.apply(relevant);
        return await postAll(
          to,
          records.flatMap((record) => alertsOf(record, settings, now)),
          signal,
        );
      } catch (err) {
        if (signal.aborted) throw err;
        return classifyError(err);
      }
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stop.abort();
      await running;
      await to.fetch[Symbol.asyncDispose]();
    },
  };
}
