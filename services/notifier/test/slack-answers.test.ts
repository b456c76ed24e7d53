import { expect, test } from "vitest";
import { SLACK_TOKEN, waitDelivered, slackError, startBot, startSlack } from "./fake-slack.ts";
import { startNotifierHarness } from "./harness.ts";

test.each([
  { name: "429 with Retry-After", answer: { status: 429, headers: { "retry-after": "1" } } },
  {
    name: "ratelimited with Retry-After",
    answer: { ...slackError("ratelimited"), headers: { "retry-after": "1" } },
  },
  { name: "internal_error", answer: slackError("internal_error") },
  { name: "a reset", answer: { instead: "reset" as const } },
])("after $name it retries", async ({ answer }) => {
  await using harness = await startNotifierHarness();
  await using slack = await startSlack();
  let first = true;
  slack.instead(() => {
    const refuse = first;
    first = false;
    return refuse ? answer : undefined;
  });
  await startBot(harness, slack);
  await harness.publishEvent("failed", "web");
  await waitDelivered(harness);
  expect(slack.messages).toHaveLength(1);
  expect(slack.calls("chat.postMessage")).toHaveLength(2);
});

test.each(["invalid_auth", "never_heard_of"])(
  "%s makes the message a dead letter at once, without the token",
  async (error) => {
    await using harness = await startNotifierHarness();
    await using slack = await startSlack();
    slack.instead(() => ({ body: JSON.stringify({ ok: false, error, token: SLACK_TOKEN }) }));
    await startBot(harness, slack);
    await harness.publishEvent("failed", "web");
    await harness.waitEvent("dead");
    await waitDelivered(harness);
    expect(slack.calls("chat.postMessage")).toHaveLength(1);
    const letters = await harness.deadLetters();
    const reason = error === "never_heard_of" ? "SlackError" : "InvalidAuth";
    expect(letters).toMatchObject([{ reason, record: { receiver: "slack" } }]);
    const output = JSON.stringify([letters, await harness.events(), harness.logs()]);
    expect(output + (await harness.metrics())).not.toContain(SLACK_TOKEN);
  },
);
