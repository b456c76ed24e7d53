import { expect, test } from "vitest";
import { ConfigError } from "@rollcast/shared/errors";
import { parseServers } from "./connect.ts";

test.each([
  ["nats://nats:4222", { servers: ["nats:4222"], tls: false }],
  ["nats://nats", { servers: ["nats"], tls: false }],
  ["nats://nats:4222/", { servers: ["nats:4222"], tls: false }],
  ["nats:4222", { servers: ["nats:4222"], tls: false }],
  ["tls://nats:4222", { servers: ["nats:4222"], tls: true }],
  ["nats://a:1,nats://b:2, c:3", { servers: ["a:1", "b:2", "c:3"], tls: false }],
  ["nats://a:1,tls://b:2", { servers: ["a:1", "b:2"], tls: true }],
  ["nats://[::1]:4222", { servers: ["[::1]:4222"], tls: false }],
  ["nats://ops:pw@a:1", { servers: ["a:1"], tls: false, user: "ops", pass: "pw" }],
  ["nats://ops:12345@a:1", { servers: ["a:1"], tls: false, user: "ops", pass: "12345" }],
  ["nats://ops:p%40%3A%2Fw@a:1", { servers: ["a:1"], tls: false, user: "ops", pass: "p@:/w" }],
  ["nats://ops:a:b@a:1", { servers: ["a:1"], tls: false, user: "ops", pass: "a:b" }],
  ["nats://t0ken@a:1,nats://t0ken@b:2", { servers: ["a:1", "b:2"], tls: false, token: "t0ken" }],
  ["nats://t0ken@a:1,nats://b:2", { servers: ["a:1", "b:2"], tls: false, token: "t0ken" }],
])("%s", (url, servers) => {
  expect(parseServers(url)).toEqual(servers);
});

test.each([
  "",
  "nats://",
  "http://nats:4222",
  "nats://s3cr3t:pw@",
  "nats://a:1,,nats://b:2",
  "nats://a/path",
  "nats://s3cr3t:%zz@a:1",
  "nats://s3cr3t:x@a:1,nats://s3cr3t:y@b:1",
])("%s is refused, without quoting it", (url) => {
  let thrown: unknown;
  try {
    parseServers(url);
  } catch (err) {
    thrown = err;
  }

  expect(thrown).toBeInstanceOf(ConfigError);
  expect((thrown as Error).message).not.toContain("s3cr3t");
});
