import fc from "fast-check";
import { expect, test } from "vitest";
import { SECRET_KEYS, hideSecrets, mask } from "./mask.ts";

test.each([
  ["nats://user:pw@nats:4222", "nats://***@nats:4222"],
  ["redis://:pw@redis:6379/0", "redis://***@redis:6379/0"],
  ["nats://token@a:4222,nats://u:p@b:4222", "nats://***@a:4222,nats://***@b:4222"],
  ["redis://:p@ss@redis:6379", "redis://***@redis:6379"],
  ["HTTPS://u:p@x.y/z", "HTTPS://***@x.y/***"],
  ["GET https://x.y/z?sig=abc&b=c failed", "GET https://x.y/*** failed"],
  ["see https://x.y/z, then (https://x.y/a).", "see https://x.y/***, then (https://x.y/***)."],
  ['see "https://x.y?a=b\'c"', 'see "https://x.y?***"'],
  ["https://x.y/?a=b", "https://x.y/?***"],
  ["https://x.y/z#access_token=abc", "https://x.y/***"],
  ["https://x.y?a=https://u.v/w", "https://x.y?***"],
  ["https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/***"],
  [
    "https://x.webhook.office.com/webhookb2/1@2/IncomingWebhook/3/4",
    "https://x.webhook.office.com/***",
  ],
  [
    "https://prod-1.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=s",
    "https://prod-1.westeurope.logic.azure.com:443/***",
  ],
  [
    "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token=t",
    "https://chat.googleapis.com/***",
  ],
  ["https://discord.com/api/webhooks/123/abc", "https://discord.com/***"],
  ["https://ntfy.sh/topic", "https://ntfy.sh/***"],
  [
    "https://10.0.0.1:6443/apis/apps/v1/namespaces/shop/deployments?watch=true",
    "https://10.0.0.1:6443/apis/apps/v1/namespaces/shop/deployments?***",
  ],
  ["Slack says xoxb-12-34-abcDEF", "Slack says xoxb-***"],
  ["xapp-1-A0-1-abc", "xapp-***"],
  ["the secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw= is", "the secret whsec_*** is"],
  ["Authorization: Bearer abc.def-ghi_jkl=", "Authorization: Bearer ***"],
  ["authorization: basic dXNlcjpwdw==", "authorization: basic ***"],
])("%s is told as %s", (text, masked) => {
  expect(mask(text)).toBe(masked);
  expect(mask(masked)).toBe(masked);
});

test.each([
  "nats://nats:4222",
  "mail to ops@example.com about nats://nats:4222",
  "https://10.0.0.1:6443/apis/apps/v1/namespaces/shop/deployments/a-web-server-with-a-long-name-2",
  "https://10.0.0.1:6443/api/v1/namespaces/shop/configmaps/web: 403",
  "https://10.0.0.1:6443/version",
  "https://hooks.example.com/ is not reachable",
  "rollout of shop/web took 3.5s",
  "is it ok? yes",
])("%s is told as it is", (text) => {
  expect(mask(text)).toBe(text);
});

test("a password in a URL is never told, whatever it is made of", () => {
  const password = fc
    .string({ minLength: 6, maxLength: 40 })
    .map((text) => encodeURIComponent(text))
    .filter((text) => text.length >= 6);
  const scheme = fc.constantFrom("nats", "redis", "rediss", "https", "amqp+ssl");
  fc.assert(
    fc.property(scheme, password, (name, secret) => {
      const text = mask(`cannot reach ${name}://ops:${secret}@example.com:1234/x, trying again`);
      const path = name === "https" ? "***" : "x";
      expect(text).toBe(`cannot reach ${name}://***@example.com:1234/${path}, trying again`);
    }),
  );
});

test.each([
  "a.",
  "http://",
  "https://x?",
  "https://x/,",
  ",.;",
  "https://x/api/a",
  "xoxb-",
  "a://",
  "Bearer ",
  "http://x/",
  "@",
])("text of many %j is masked in time that grows with its length", (part) => {
  const text = part.repeat(Math.ceil(200_000 / part.length));

  expect(mask(text).length).toBeGreaterThan(0);
});

test("secret keys are hidden at any depth, in any spelling, with any kind of value", () => {
  const hidden = hideSecrets({
    Authorization: "x",
    "set-cookie": ["a"],
    api_key: { a: 1 },
    list: [{ token: 1 }, { deep: { password: null } }],
    token: undefined,
    tokens: "kept",
  });

  expect(hidden).toEqual({
    Authorization: "***",
    "set-cookie": "***",
    api_key: "***",
    list: [{ token: "***" }, { deep: { password: "***" } }],
    token: undefined,
    tokens: "kept",
  });
});

test("an error is told with its causes and what it bundles, all masked", () => {
  const root = new Error("connect redis://:pw@h failed");
  const middle = Object.assign(new TypeError("fetch failed", { cause: root }), { code: "ECONN" });
  const both = new AggregateError([middle, "Bearer abcdef"], "two");
  const closing = new SuppressedError(new Error("a"), both, "at the end");

  const masked = hideSecrets(closing) as { suppressed: { errors: unknown[] } };

  expect(masked).toMatchObject({
    type: "SuppressedError",
    message: "at the end",
    error: { type: "Error", message: "a" },
    suppressed: {
      type: "AggregateError",
      message: "two",
      errors: [
        {
          type: "TypeError",
          code: "ECONN",
          cause: { message: "connect redis://***@h failed" },
        },
        "Bearer ***",
      ],
    },
  });
  expect(JSON.stringify(masked)).not.toContain("pw@");
});

test("what is circular or very deep ends", () => {
  const loop: { self?: unknown; list: unknown[] } = { list: [] };
  loop.self = loop;
  loop.list.push(loop);
  const err = new Error("again");
  err.cause = err;

  expect(JSON.stringify(hideSecrets({ loop, err }))).toContain("[deep]");
});

test("values with their own JSON form keep it", () => {
  const at = new Date(0);

  expect(hideSecrets({ at, none: null, yes: true, n: 1 })).toEqual({
    at,
    none: null,
    yes: true,
    n: 1,
  });
});

test("no secret under a secret key survives, wherever it is put", () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9]{12,30}$/);
  const path = fc.array(fc.constantFrom("a", "items", "headers", "0"), { maxLength: 6 });
  fc.assert(
    fc.property(secret, path, fc.constantFrom(...SECRET_KEYS), (value, keys, key) => {
      const leaf: unknown = { [key]: { inner: [value] } };
      const placed = keys.reduceRight((inner, name) => {
        return name === "0" ? [inner] : { [name]: inner };
      }, leaf);
      expect(JSON.stringify(hideSecrets(placed))).not.toContain(value);
    }),
  );
});

test("nothing of a webhook's path or query is told, whatever is around it", () => {
  const part = fc.stringMatching(/^[A-Za-z0-9_~%@=+-]{6,40}$/);
  const around = fc.constantFrom("", " ", '"', ": ", "(", ", ");
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), part, around, (path, query, by) => {
      const text = mask(`${by}https://hooks.example.com/${path.join("/")}?k=${query}${by}`);
      expect(text).toContain("https://hooks.example.com/***");
      for (const secret of [...path, query]) expect(text).not.toContain(secret);
    }),
  );
});
