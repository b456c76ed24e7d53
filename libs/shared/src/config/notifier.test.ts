import { expect, test } from "vitest";
import { NotifierConfig } from "./notifier.ts";

const URL = "https://hooks.example.com/";
const hook = { name: "a", webhook: { url: URL } };

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
      ],
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
  { name: "an unknown key", config: { templates: {} }, fault: ": Unrecognized key" },
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
