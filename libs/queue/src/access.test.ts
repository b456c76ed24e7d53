import { expect, test } from "vitest";
import { redisAccess } from "./redis-access.ts";

const env = { PW: "s3cret" };
const password = { env: "PW" };

test.each([
  ["nothing", { url: "redis://r:6379" }, "redis://r:6379", {}],
  ["the URL alone", { url: "redis://u:p@r:6379" }, "redis://u:p@r:6379", {}],
  [
    "a user in the URL and a password beside it",
    { url: "redis://u@r:6379", password },
    "redis://r:6379",
    { username: "u", password: "s3cret" },
  ],
  [
    "a password without a user",
    { url: "redis://r:6379/2", password },
    "redis://r:6379/2",
    { password: "s3cret" },
  ],
  [
    "a user beside the URL wins",
    { url: "rediss://u:p@r:6379", username: "v", password },
    "rediss://r:6379",
    { username: "v", password: "s3cret" },
  ],
  ["TLS", { url: "rediss://r:6379", tls: {} }, "rediss://r:6379", { tls: {} }],
])("%s", async (_name, identity, url, options) => {
  expect(await redisAccess(identity, env)).toEqual({ url, options });
});

test("what is missing is named", async () => {
  const url = "redis://r:6379";
  await expect(redisAccess({ url, password: { file: "/no/such" } }, {})).rejects.toThrow(
    "redis.password: secret file /no/such cannot be read: no such file or directory (ENOENT)",
  );
  await expect(redisAccess({ url, tls: { ca: "/no/ca" } }, {})).rejects.toThrow(
    "redis.tls.ca: /no/ca cannot be read: no such file or directory (ENOENT)",
  );
});
