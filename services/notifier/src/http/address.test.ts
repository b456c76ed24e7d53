import { expect, test } from "vitest";
import { Security } from "@rollcast/shared/config/receivers";
import { addressFault, checkUrl } from "./guarded-fetch.ts";

const STRICT = Security.parse({});

test.each([
  "127.0.0.1",
  "127.255.255.254",
  "0.0.0.0",
  "10.0.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "192.0.2.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:a9fe:a9fe",
  "::127.0.0.1",
  "64:ff9b::7f00:1",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::7f00:1",
  "2002:7f00:1::",
  "2001:0:7f00:1::",
  "2001:db8::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fec0::1",
  "ff02::1",
])("the address %s is refused", (ip) => {
  expect(addressFault(ip, [])).toBeDefined();
});

test.each(["1.1.1.1", "8.8.8.8", "::ffff:8.8.8.8", "2606:4700:4700::1111"])(
  "the address %s is allowed",
  (ip) => {
    expect(addressFault(ip, [])).toBeUndefined();
  },
);

test.each([
  { ip: "10.1.2.3", cidr: "10.0.0.0/8", allowed: true },
  { ip: "::ffff:10.1.2.3", cidr: "10.0.0.0/8", allowed: true },
  { ip: "10.1.2.3", cidr: "::ffff:10.0.0.0/104", allowed: true },
  { ip: "11.1.2.3", cidr: "10.0.0.0/8", allowed: true },
  { ip: "192.168.0.1", cidr: "10.0.0.0/8", allowed: false },
  { ip: "fd00::1", cidr: "fd00::/8", allowed: true },
  { ip: "fd00::1", cidr: "10.0.0.0/8", allowed: false },
])("$ip with $cidr allowed: $allowed", ({ ip, cidr, allowed }) => {
  expect(addressFault(ip, [cidr]) === undefined).toBe(allowed);
});

test.each([
  { url: "https://127.0.0.1/", why: "127.0.0.1" },
  { url: "https://127.1/", why: "127.0.0.1" },
  { url: "https://2130706433/", why: "127.0.0.1" },
  { url: "https://0x7f.1/", why: "127.0.0.1" },
  { url: "https://0177.0.0.1/", why: "127.0.0.1" },
  { url: "https://017700000001/", why: "127.0.0.1" },
  { url: "https://127。0。0。1/", why: "127.0.0.1" },
  { url: "https://[::1]/", why: "::1" },
  { url: "https://[::ffff:7f00:1]/", why: "7f00:1" },
  { url: "https://[64:ff9b::a9fe:a9fe]/", why: "64:ff9b" },
  { url: "https://169.254.169.254/latest/meta-data", why: "169.254.169.254" },
  { url: "http://hooks.example.com/", why: "https" },
  { url: "ftp://hooks.example.com/", why: "https" },
  { url: "file:///etc/passwd", why: "https" },
  { url: "https://hooks.example.com:8443/", why: "8443" },
  { url: "https://user@hooks.example.com/", why: "user name" },
  { url: "https://:pw@hooks.example.com/", why: "password" },
])("$url is refused because of $why", ({ url, why }) => {
  expect(() => checkUrl(new URL(url), STRICT)).toThrow(why);
});

test.each([
  { url: "https://hooks.example.com/a?b=c", security: {} },
  { url: "https://hooks.example.com:8443/", security: { allowedPorts: [8443] } },
  { url: "http://hooks.example.com/", security: { allowHttp: true, allowedPorts: [80] } },
  { url: "https://10.1.2.3/", security: { allowCidrs: ["10.0.0.0/8"] } },
  { url: "https://[fd00::1]/", security: { allowCidrs: ["fd00::/8"] } },
])("$url is allowed by $security", ({ url, security }) => {
  expect(() => checkUrl(new URL(url), Security.parse(security))).not.toThrow();
});

test("the message never holds path or query", () => {
  const url = new URL("https://10.0.0.1/secret-path?secret=query");
  let message = "";
  try {
    checkUrl(url, STRICT);
  } catch (err) {
    message = String(err);
  }
  expect(message).toContain("10.0.0.1");
  expect(message).not.toContain("secret");
});
