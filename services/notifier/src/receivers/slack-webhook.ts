import type { Message } from "../message/message.ts";
import { classifyAnswer } from "../http/classify-answer.ts";
import type { SendResult } from "../http/classify-answer.ts";
import type { Answer } from "../http/guarded-fetch.ts";
import { JSON_TYPE } from "./http-receiver.ts";
import type { Rendered } from "./http-receiver.ts";
import { slackContent } from "./slack-content.ts";

/** Renders a message for Slack's incoming webhooks. */
export function renderSlack(message: Message): Rendered {
  const unfurl = { unfurl_links: false, unfurl_media: false };
  return {
    contentType: JSON_TYPE,
    body: JSON.stringify({ ...slackContent(message), ...unfurl }),
  };
}

/** Slack answers `ok` when it accepted a message; a proxy's page with status 200 does not. */
export function classifySlackAnswer(answer: Answer, now: number): SendResult {
  const result = classifyAnswer(answer, now);
  if (result.kind !== "sent" || answer.body.trim() === "ok") return result;
  return { kind: "failed", reason: "NotOk", message: "Slack answered 2xx without ok" };
}
