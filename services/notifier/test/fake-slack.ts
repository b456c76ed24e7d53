import { localSecurity } from "@rollcast/testkit/harness/base-config";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { TestAnswer, Received, TestReceiver } from "@rollcast/testkit/receiver";
import type { Service } from "@rollcast/testkit/services";
import type { NotifierHarness } from "./harness.ts";

/** A message in the fake's channels, as last edited. */
export type SlackMessage = {
  readonly ts: string;
  readonly channel: string;
  readonly thread: string | undefined;
  readonly broadcast: boolean;
  readonly text: string;
  readonly blocks: unknown;
  readonly edits: number;
};

/**
 * The part of Slack's Web API that a bot needs to post and edit: answers as Slack does and records
 * the calls.
 */
export type FakeSlack = AsyncDisposable & {
  readonly hook: TestReceiver;
  readonly messages: readonly SlackMessage[];
  /** Calls of a method, in order. */
  calls(method: string): Received[];
  /** Deletes a message as a person would. */
  forget(ts: string): void;
  /** Answers with this instead, unless it is undefined. */
  instead(answer: (method: string, body: SlackBody) => TestAnswer | undefined): void;
};

export type SlackBody = {
  readonly channel: string;
  readonly ts?: string;
  readonly text: string;
  readonly blocks: unknown;
  readonly thread_ts?: string;
  readonly reply_broadcast?: boolean;
};

export const SLACK_TOKEN = "xoxb-1234-secret-of-the-bot";
export const CHANNEL = "C0123ABCD";

function methodOf(received: Received): string {
  return received.path.split("/").at(-1) ?? "";
}

function ok(body: object): TestAnswer {
  return { body: JSON.stringify({ ok: true, ...body }) };
}

export function slackError(error: string): TestAnswer {
  return { body: JSON.stringify({ ok: false, error }) };
}

export async function startSlack(): Promise<FakeSlack> {
  const hook = await startReceiver();
  const messages: SlackMessage[] = [];
  let instead: Parameters<FakeSlack["instead"]>[0] = () => undefined;
  let count = 0;

  const post = (body: SlackBody): TestAnswer => {
    if (body.channel !== CHANNEL) return slackError("channel_not_found");
    const ts = `1700000000.${String(++count).padStart(6, "0")}`;
    messages.push({
      ts,
      channel: body.channel,
      thread: body.thread_ts,
      broadcast: body.reply_broadcast === true,
      text: body.text,
      blocks: body.blocks,
      edits: 0,
    });
    return ok({ channel: body.channel, ts });
  };
  const update = (body: SlackBody): TestAnswer => {
    const at = messages.findIndex(({ ts }) => ts === body.ts);
    const before = messages[at];
    if (before === undefined) return slackError("message_not_found");
    const { text, blocks } = body;
    messages[at] = { ...before, text, blocks, edits: before.edits + 1 };
    return ok({ channel: before.channel, ts: before.ts });
  };
  hook.answer((received) => {
    const method = methodOf(received);
    if (received.headers.authorization !== `Bearer ${SLACK_TOKEN}`) {
      return slackError("invalid_auth");
    }
    const body = JSON.parse(received.body) as SlackBody;
    const other = instead(method, body);
    if (other !== undefined) return other;
    if (method === "chat.postMessage") return post(body);
    return method === "chat.update" ? update(body) : slackError("unknown_method");
  });
  return {
    hook,
    messages,
    calls: (method) => hook.received.filter((call) => methodOf(call) === method),
    forget(ts) {
      messages.splice(
        messages.findIndex((call) => call.ts === ts),
        1,
      );
    },
    instead(answer) {
      instead = answer;
    },
    [Symbol.asyncDispose]: () => hook[Symbol.asyncDispose](),
  };
}

/** The configuration of a bot that uses the fake. */
function slackReceiver({ hook }: FakeSlack, more: object = {}) {
  return {
    name: "slack",
    slack: {
      tokenFrom: { env: "TEST_SLACK_TOKEN" },
      channel: CHANNEL,
      apiUrl: `${hook.url}/api/`,
      ...more,
    },
    security: localSecurity(hook),
    rateLimit: { max: 10 },
  };
}

/**
 * Starts a notifier whose only receiver is a bot at the fake; `kill` names the failpoint at which
 * it dies.
 */
export function startBot(
  harness: NotifierHarness,
  slack: FakeSlack,
  more: { bot?: object; kill?: string } = {},
): Promise<Service> {
  const route = { groupWait: "300ms", groupInterval: "300ms" };
  return harness.start({
    notifier: { receivers: [slackReceiver(slack, more.bot)], route },
    env: {
      TEST_SLACK_TOKEN: SLACK_TOKEN,
      ...(more.kill === undefined ? {} : { ROLLCAST_TEST_KILL_AT: more.kill }),
    },
  });
}

/** Waits until every published event is acknowledged and delivered. */
export async function waitDelivered(harness: NotifierHarness): Promise<void> {
  await harness.waitAcknowledged();
  await harness.waitIdle();
}
