import { expect, test } from "vitest";
import { NotifierConfig } from "./notifier.ts";

const URL = "https://hooks.example.com/";
const hook = { name: "a", webhook: { url: URL } };

const bot = { tokenFrom: { env: "SLACK_TOKEN" }, channel: "C0123ABCD" };

function faults(config: unknown): string[] {
  const parsed = NotifierConfig.safeParse(config);
  return (parsed.error?.issues ?? []).map(
    ({ path, message }) => `${path.join(".")}: ${message.slice(0, 60)}`,
  );
}

test.each([
  { name: "nothing", config: {} },
  { name: "a webhook", config: { receivers: [hook] } },
  {
    name: "every kind",
    config: {
      receivers: [
        { name: "a", webhook: { urlFrom: { env: "A_URL" }, format: "cloudevents" } },
        { name: "b", slack: { webhookUrlFrom: { file: "/b" } } },
        { name: "c", teams: { urlFrom: { file: "/c" } }, rateLimit: { max: 1, per: "2s" } },
        { name: "d", googleChat: { urlFrom: { file: "/d" } } },
        { name: "e", none: {} },
        { name: "g", alertmanager: { urls: ["http://am:9093/prefix"], labels: { team: "x" } } },
        { name: "f", slack: { ...bot, thread: false, apiUrl: "https://slack-gov.com/api/" } },
      ],
      templates: { "rollout.failed": { title: "{{ workload }}" }, default: { text: "x" } },
      route: { receiver: "a", routes: [{ match: ['outcome == "failed"'], receiver: "b" }] },
    },
  },
])("$name is taken", ({ config }) => {
  expect(faults(config)).toEqual([]);
});

test.each([
  {
    name: "no kind",
    config: { receivers: [{ name: "a" }] },
    fault: "receivers.0: must have exactly one of",
  },
  {
    name: "two kinds",
    config: { receivers: [{ ...hook, none: {} }] },
    fault: "receivers.0: must have exactly one of",
  },
  {
    name: "a name twice",
    config: { receivers: [hook, hook] },
    fault: 'receivers.1.name: another receiver is named "a" already',
  },
  {
    name: "a webhook without a URL",
    config: { receivers: [{ name: "a", webhook: {} }] },
    fault: "receivers.0.webhook: must have either url or urlFrom",
  },
  {
    name: "a webhook with two URLs",
    config: { receivers: [{ name: "a", webhook: { url: URL, urlFrom: { env: "A" } } }] },
    fault: "receivers.0.webhook: must have either url or urlFrom",
  },
  {
    name: "a rate limit that does nothing",
    config: { receivers: [{ name: "a", none: {}, rateLimit: { max: 1 } }] },
    fault: "receivers.0.rateLimit: does nothing",
  },
  {
    name: "an unknown receiver",
    config: { receivers: [hook], route: { receiver: "b" } },
    fault: 'route.receiver: there is no receiver named "b"',
  },
  {
    name: "an unknown receiver deep in the tree",
    config: { receivers: [hook], route: { routes: [{ routes: [{ receiver: "b" }] }] } },
    fault: 'route.routes.0.routes.0.receiver: there is no receiver named "b"',
  },
  {
    name: "an unknown label",
    config: { route: { groupBy: ["colour"] } },
    fault: "route.groupBy.0:",
  },
  { name: "an unknown key", config: { template: {} }, fault: ": Unrecognized key" },
  {
    name: "a template of no outcome",
    config: { templates: { "rollout.fail": { title: "x" } } },
    fault: "templates: Unrecognized key",
  },
  {
    name: "a template of nothing",
    config: { templates: { default: {} } },
    fault: "templates.default: must have a title, a text or both",
  },
  {
    name: "a bot without a channel",
    config: { receivers: [{ name: "a", slack: { tokenFrom: { env: "T" } } }] },
    fault: "receivers.0.slack.channel: is missing",
  },
  {
    name: "a channel's name in place of its id",
    config: { receivers: [{ name: "a", slack: { ...bot, channel: "#ops" } }] },
    fault: "receivers.0.slack.channel: must be the id of a channel",
  },
  {
    name: "a bot that is a webhook too",
    config: { receivers: [{ name: "a", slack: { ...bot, webhookUrlFrom: { env: "U" } } }] },
    fault: "receivers.0.slack: must have either webhookUrlFrom or tokenFrom",
  },
  {
    name: "an Alertmanager without an address",
    config: { receivers: [{ name: "a", alertmanager: { urls: [] } }] },
    fault: "receivers.0.alertmanager.urls: Too small",
  },
  {
    name: "a label that is none",
    config: { receivers: [{ name: "a", alertmanager: { urls: [URL], labels: { "a-b": "c" } } }] },
    fault: "receivers.0.alertmanager.labels.a-b",
  },
  {
    name: "a thread at a webhook",
    config: { receivers: [{ name: "a", slack: { webhookUrlFrom: { env: "U" }, thread: true } }] },
    fault: "receivers.0.slack.thread: does nothing",
  },
  {
    name: "an API's address without its end",
    config: { receivers: [{ name: "a", slack: { ...bot, apiUrl: "https://slack.com/api" } }] },
    fault: "receivers.0.slack.apiUrl: must end with /",
  },
  {
    name: "a matcher at the root, which takes everything",
    config: { route: { match: [] } },
    fault: "route: Unrecognized key",
  },
  {
    name: "a groupWait that is none",
    config: { route: { groupWait: "10" } },
    fault: "route.groupWait",
  },
])("$name is refused with its path", ({ config, fault }) => {
  expect(faults(config).some((line) => line.startsWith(fault))).toBe(true);
});
