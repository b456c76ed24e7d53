import { expect, test } from "vitest";
import type { TestAnswer, Received } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { TOKEN, startApi } from "./api-client.ts";
import { SIGNING_SECRET, localSecurity } from "@rollcast/testkit/harness/base-config";
import { startNotifierHarness } from "./harness.ts";
import type { NotifierHarness } from "./harness.ts";

const SIGNING = `whsec_${Buffer.from("another signing secret of the tests").toString("base64")}`;
const BOT_TOKEN = "xoxb-1234-secret-of-the-bot";
const NATS_PASSWORD = "nats-password-of-the-tests";

/** The body with which a hostile receiver echoes a request. */
function echo({ path, headers }: Received): string {
  const url = new URL(path, "http://hook");
  const [segment] = url.pathname.split("/").slice(-1);
  const query = url.searchParams.get("sig");
  return `no ${path} at http://ops:pw-${segment}@hook${path}, ${segment}, ${query}, ${headers.authorization}`;
}

const echoing = (status: number) => (received: Received) => ({ status, body: echo(received) });

/** How receivers answer, by their names. */
const ANSWERS: Readonly<Record<string, (received: Received) => TestAnswer>> = {
  taken: echoing(200),
  "bad-request": echoing(400),
  forbidden: echoing(403),
  "not-found": echoing(404),
  gone: echoing(410),
  large: echoing(413),
  throttled: (request) => ({ ...echoing(429)(request), headers: { "retry-after": "2" } }),
  broken: echoing(500),
  away: echoing(503),
  moved: (request) => ({
    ...echoing(302)(request),
    headers: { location: `http://hook${request.path}&location=secret-of-location` },
  }),
  reset: () => ({ instead: "reset" }),
  hanging: () => ({ instead: "hang" }),
  huge: (request) => ({ status: 500, body: echo(request).repeat(5_000) }),
};
const CHATS = ["slack", "teams", "googleChat"] as const;

function receiversOf(harness: NotifierHarness) {
  const { port } = harness.hook;
  const security = localSecurity({ port });
  const signing = { secretsFrom: [{ env: "TEST_SIGNING_SECRET" }, { env: "SIGNING" }] };
  const names = Object.keys(ANSWERS);
  return [
    ...names.map((name) => ({
      name,
      webhook: { urlFrom: { env: envOf(name) }, signing },
      security,
    })),
    { name: "slack", slack: { webhookUrlFrom: { env: envOf("slack") } }, security },
    { name: "teams", teams: { urlFrom: { env: envOf("teams") } }, security },
    { name: "chat", googleChat: { urlFrom: { env: envOf("googleChat") } }, security },
    {
      name: "bot",
      slack: {
        tokenFrom: { env: "BOT_TOKEN" },
        channel: "C0123ABCD",
        apiUrl: `http://127.0.0.1:${port}/api/`,
      },
      security,
    },
  ];
}

const envOf = (name: string) => `URL_${name.replaceAll("-", "_").toUpperCase()}`;
const pathSecret = (name: string) => `Path-Secret-Of-${name}-b5f1`;
const querySecret = (name: string) => `query.secret.of.${name}.77aa`;

function environment(harness: NotifierHarness): Record<string, string> {
  const names = [...Object.keys(ANSWERS), ...CHATS];
  const urls = names.map((name) => [
    envOf(name),
    `${harness.hook.url}/${name}/services/${pathSecret(name)}?sig=${querySecret(name)}`,
  ]);
  return {
    ...Object.fromEntries(urls),
    SIGNING,
    BOT_TOKEN,
    ROLLCAST_LOG_LEVEL: "trace",
    ROLLCAST_NATS_URL: harness.nats.url.replace("nats://", `nats://ops:${NATS_PASSWORD}@`),
  };
}

/** Every secret, and the parts of one that would give it away. */
function secrets(): string[] {
  const names = [...Object.keys(ANSWERS), ...CHATS];
  const keys = [SIGNING_SECRET, SIGNING].flatMap((request) => [
    request,
    request.slice("whsec_".length),
  ]);
  const urls = names.flatMap((name) => [pathSecret(name), querySecret(name)]);
  return [
    ...keys,
    ...urls,
    BOT_TOKEN,
    NATS_PASSWORD,
    TOKEN,
    "secret-of-location",
    "?sig=",
    "&sig=",
  ];
}

test("no log line, error, metric, event, record, dead letter or answer of the API holds a secret, a token or a query", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer((received) => {
    const name = received.path.split("/")[1] ?? "";
    return (ANSWERS[name] ?? echoing(404))(received);
  });
  const notifier = { receivers: receiversOf(harness) };
  const api = await startApi(harness, { notifier, env: environment(harness) });
  await harness.publishEvent("failed", "web");
  const receiversTried = () => new Set(harness.hook.received.map(({ path }) => path.split("/")[1]));
  await waitFor(() => receiversTried().size === Object.keys(ANSWERS).length + CHATS.length + 1, {
    message: "every receiver to be asked",
  });
  // What hangs is given up after fifteen seconds.
  await waitFor(() => harness.logs().some(({ reason }) => reason === "Timeout"), {
    message: "the time-out",
  });
  const answers: unknown[] = [];
  const call = async (method: string, path: string) =>
    answers.push(await api.call(method, `/v1/${path}`));
  for (const name of ["taken", "broken", "moved", "reset", "slack", "bot"]) {
    await call("POST", `receivers/${name}/test`);
  }
  await waitFor(async () => (await harness.letters()).length >= 9, { message: "dead letters" });
  const letters = await harness.letters();
  for (const { id } of letters) await call("GET", `dead-letters/${id}`);
  await call("GET", "dead-letters");
  await call("GET", "receivers");
  const metrics = await harness.metrics();
  // Errors of connections that are lost.
  await Promise.all([harness.redis.restart(), harness.nats.restart()]);
  await waitFor(() => harness.logs().some(({ msg }) => msg === "nats reconnected"), {
    message: "NATS to be met again",
  });
  expect(await api.service.kill("SIGTERM")).toBe(0);
  await waitFor(async () => (await harness.events()).length > 0, {
    message: "events to be read again",
  });

  const output = JSON.stringify({
    logs: harness.logs(),
    events: await harness.events(),
    records: await harness.records(),
    letters,
    answers,
    metrics,
  });
  const leaked = secrets().filter((secret) => output.includes(secret));
  expect(leaked).toEqual([]);
  // What was searched is what it is about.
  for (const text of [
    "the receiver answered 404: no ***",
    "notification delayed, will retry",
    "redirect",
  ]) {
    expect(output).toContain(text);
  }
  expect(metrics).toContain(
    'rollcast_notifications_dead_total{receiver="moved",reason="redirect"}',
  );
});
