import type { Message } from "../message.ts";
import { cut, utf8Size } from "../text.ts";
import { JSON_TYPE } from "./http.ts";
import type { Rendered } from "./http.ts";

/** Bytes of a text message. https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages */
const TEXT_LIMIT = 4_096;

/** `text` that calls nobody and hides no link: `<users/all>` and `<https://…|text>` begin with `<`, which has no escape. */
export function plainChatText(text: string): string {
  return text.toWellFormed().replaceAll("<", "<\u200B");
}

/** A message as an incoming webhook of Google Chat takes it. */
export function renderGoogleChat(message: Message): Rendered {
  const lines = message.facts.map(({ name, value }) => `*${name}:* ${plainChatText(value)}`);
  const text = [`*${plainChatText(message.title)}*`, ...lines].join("\n");
  return {
    contentType: JSON_TYPE,
    body: JSON.stringify({ text: cut(text, TEXT_LIMIT, utf8Size) }),
  };
}
