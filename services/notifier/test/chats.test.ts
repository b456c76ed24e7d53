import { expect, test } from "vitest";
import { settled } from "./fake-slack.ts";
import { startRig } from "./harness.ts";
import type { Rig } from "./harness.ts";

const SECRET_PATH = "/triggers/a1B2c3D4e5F6g7H8i9J0";

function start(rig: Rig, kind: object) {
  const { port } = rig.hook;
  const security = { allowHttp: true, allowCidrs: ["127.0.0.0/8"], allowedPorts: [port] };
  return rig.start({
    notifier: {
      receivers: [{ name: "chat", ...kind, security }],
      route: { groupWait: "300ms", groupInterval: "300ms" },
    },
    env: { TEST_CHAT_URL: `${rig.hook.url}${SECRET_PATH}?sig=query-is-secret` },
  });
}

const CHATS = [
  { name: "Teams", kind: { teams: { urlFrom: { env: "TEST_CHAT_URL" } } }, ok: { status: 202 } },
  { name: "Google Chat", kind: { googleChat: { urlFrom: { env: "TEST_CHAT_URL" } } }, ok: {} },
  {
    name: "Slack's webhook",
    kind: { slack: { webhookUrlFrom: { env: "TEST_CHAT_URL" } } },
    ok: {},
  },
];

test.each(CHATS)("$name: what it takes is sent, once", async ({ kind, ok }) => {
  await using rig = await startRig();
  rig.hook.answer(ok);
  await start(rig, kind);
  await rig.tell("failed", "web", { reason: "ProgressDeadlineExceeded", affected: 12 });
  await settled(rig);
  expect(rig.hook.received).toHaveLength(1);
  const [received] = rig.hook.received;
  expect(received?.headers["content-type"]).toBe("application/json; charset=utf-8");
  for (const part of [
    "Rollout failed: Deployment shop/web",
    "ConfigMap shop/web-config",
    "LOG_LEVEL",
    "kubectl-edit",
    "11 other workloads",
    "kubectl -n shop rollout status deployment/web",
  ]) {
    expect(received?.body).toContain(part);
  }
});

test.each(CHATS)(
  "$name: what it refuses is a dead letter without its address",
  async ({ kind }) => {
    await using rig = await startRig();
    rig.hook.answer(({ path }) => ({ status: 413, body: `too large for ${path}` }));
    await start(rig, kind);
    await rig.tell("failed", "web");
    await rig.waitEvent("dead");
    await settled(rig);
    const letters = await rig.deadLetters();
    expect(letters).toMatchObject([{ reason: "too-large", record: { receiver: "chat" } }]);
    const told = JSON.stringify([letters, await rig.events(), rig.logs()]) + (await rig.metrics());
    expect(told).not.toContain("query-is-secret");
    expect(told).not.toContain(SECRET_PATH);
  },
);
