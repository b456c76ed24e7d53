import type { Alert } from "../alert/alert.ts";
import { withoutSecrets } from "../http/answer.ts";
import { judgeAnswer, judgeError } from "../http/classify-answer.ts";
import type { Verdict } from "../http/send-result.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { AlertmanagerOptions } from "./alertmanager.ts";

/** Alerts in one request. */
const BATCH = 64;

function endpoint(base: URL): URL {
  return new URL(`${base.pathname.replace(/\/+$/, "")}/api/v2/alerts`, base);
}

async function postTo(
  options: AlertmanagerOptions,
  base: URL,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<Verdict> {
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
    return judgeAnswer(withoutSecrets(answer, secrets), Date.now());
  } catch (err) {
    if (signal.aborted) throw err;
    return judgeError(err);
  }
}

/** The one that promises most: one instance that took the alerts is enough, the others are told again soon. */
const BEST: readonly Verdict["kind"][] = ["sent", "later", "failed", "refused"];

export async function postBatch(
  options: AlertmanagerOptions,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<Verdict> {
  const verdicts = await Promise.all(
    options.urls.map((url) => postTo(options, url, alerts, signal)),
  );
  const rank = ({ kind }: Verdict) => BEST.indexOf(kind);
  const [best = { kind: "sent" as const }] = verdicts.toSorted((a, b) => rank(a) - rank(b));
  return best;
}

export async function postAll(
  options: AlertmanagerOptions,
  alerts: readonly Alert[],
  signal: AbortSignal,
): Promise<Verdict> {
  for (let i = 0; i < alerts.length; i += BATCH) {
    const verdict = await postBatch(options, alerts.slice(i, i + BATCH), signal);
    if (verdict.kind !== "sent") return verdict;
  }
  return { kind: "sent" };
}
