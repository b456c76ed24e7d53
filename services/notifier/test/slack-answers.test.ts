import { expect, test } from "vitest";
import { SLACK_TOKEN, settled, slackError, startBot, startSlack } from "./fake-slack.ts";
import { startRig } from "./harness.ts";

test.each([
  { name: "429 with Retry-After", answer: { status: 429, headers: { "retry-after": "1" } } },
  {
    name: "ratelimited with Retry-After",
    answer: { ...slackError("ratelimited"), headers: { "retry-after": "1" } },
  },
  { name: "internal_error", answer: slackError("internal_error") },
  { name: "a reset", answer: { instead: "reset" as const } },
])("after $name it is tried again", async ({ answer }) => {
  await using rig = await startRig();
  await using slack = await startSlack();
  let first = true;
  slack.instead(() => {
    const refuse = first;
    first = false;
    return refuse ? answer : undefined;
  });
  await startBot(rig, slack);
  await rig.tell("failed", "web");
  await settled(rig);
  expect(slack.messages).toHaveLength(1);
  expect(slack.calls("chat.postMessage")).toHaveLength(2);
});

test.each(["invalid_auth", "never_heard_of"])(
  "%s puts the message into the dead letters at once, without the token",
  async (error) => {
    await using rig = await startRig();
    await using slack = await startSlack();
    slack.instead(() => ({ body: JSON.stringify({ ok: false, error, token: SLACK_TOKEN }) }));
    await startBot(rig, slack);
    await rig.tell("failed", "web");
    await rig.waitEvent("dead");
    await settled(rig);
    expect(slack.calls("chat.postMessage")).toHaveLength(1);
    const letters = await rig.deadLetters();
    const reason = error === "never_heard_of" ? "slack-error" : error.replaceAll("_", "-");
    expect(letters).toMatchObject([{ reason, record: { receiver: "slack" } }]);
    const told = JSON.stringify([letters, await rig.events(), rig.logs()]);
    expect(told + (await rig.metrics())).not.toContain(SLACK_TOKEN);
  },
);
