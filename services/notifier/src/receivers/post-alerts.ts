import type { Alert } from "../alert/alert.ts";
import { redactSecrets } from "../http/answer.ts";
import { classifyAnswer, classifyError } from "../http/classify-answer.ts";
import type { SendResult } from "../http/send-result.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { AlertmanagerOptions } from "./alertmanager.ts";

/** Alerts per request. */
const BATCH = 64;

function endpoint(base: URL): URL {
  return new URL(`${base.pathname.replace(/\/+$/, "")}/api/v2/alerts`, base);
}

async function postTo(
  options: AlertmanagerOptions,
  base: URL,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<SendResult> {
  try {
    const token = await options.token();
    const headers = {
      "content-type": JSON_TYPE,
      "user-agent": "rollcast-notifier",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const body = JSON.stringify(alerts);
    const answer = await options.fetch.post({ url: endpoint(base), headers, body }, signal);
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

export async function postBatch(
  options: AlertmanagerOptions,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<SendResult> {
  const results = await Promise.all(
    options.urls.map((url) => postTo(options, url, alerts, signal)),
  );
  const rank = ({ kind }: SendResult) => BEST.indexOf(kind);
  const [best = { kind: "sent" as const }] = results.toSorted((a, b) => rank(a) - rank(b));
  return best;
}

export async function postAll(
  options: AlertmanagerOptions,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<SendResult> {
  for (let i = 0; i < alerts.length; i += BATCH) {
    const result = await postBatch(options, alerts.slice(i, i + BATCH), signal);
    if (result.kind !== "sent") return result;
  }
  return { kind: "sent" };
}
