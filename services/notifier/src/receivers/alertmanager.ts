import type { RolloutEvent } from "@rollcast/shared/events";
import type { Logger } from "@rollcast/runtime/logger";
import { ALERT_OUTCOMES } from "../alert/alert.ts";
import { alertsOf } from "../alert/alerts-of.ts";
import type { AlertSettings, AlertText } from "../alert/alert.ts";
import { createAlertStore } from "../alert/alert-store.ts";
import type { AlertStoreOptions } from "../alert/alert-store.ts";
import { outcomeOf } from "../message/facts.ts";
import type { GuardedFetch } from "../http/guarded-fetch.ts";
import { messageOf } from "../message/message.ts";
import type { Message } from "../message/message.ts";
import { cut } from "../message/text.ts";
import { classifyError } from "../http/classify-answer.ts";
import type { SendResult } from "../http/send-result.ts";
import type { Receiver } from "./receiver.ts";
import { postAll, postBatch } from "./post-alerts.ts";

export type AlertmanagerOptions = Pick<AlertStoreOptions, "records" | "cluster"> & {
  name: string;
  fetch: GuardedFetch;
  /**
   * Every instance of an Alertmanager cluster, without `/api/v2/alerts`: instances do not share
   * alerts.
   */
  urls: readonly URL[];
  /** Sent as `Authorization: Bearer`; undefined for none. */
  token: () => Promise<string | undefined>;
  settings: AlertSettings;
  resendMs: number;
  /** Applies the templates to a message. */
  applyTemplates: (message: Message) => Message;
  logger: Logger;
};

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
 * An Alertmanager, or a cluster of them. A failed or stalled rollout fires an alert for its
 * workload; the workload's next success resolves it. Firing alerts are stored and resent every
 * `resendMs`, as Alertmanager expects of its clients.
 */
export function createAlertmanager(options: AlertmanagerOptions): Receiver {
  const { name, records, cluster, applyTemplates, settings, logger } = options;
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
    const result = await postAll(options, alerts, stop.signal);
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
  }, options.resendMs).unref();
  return {
    name,
    async send(message, signal): Promise<SendResult> {
      try {
        const relevant = message.events.filter((event) => ALERT_OUTCOMES.has(outcomeOf(event)));
        // A message without alerts, e.g. a test of the receiver, only checks that the Alertmanager
        // answers.
        if (relevant.length === 0) return await postBatch(options, [], signal);
        const now = Date.now();
        const records = await store.apply(relevant);
        return await postAll(
          options,
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
      await options.fetch[Symbol.asyncDispose]();
    },
  };
}
