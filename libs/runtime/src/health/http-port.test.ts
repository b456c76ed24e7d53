import { expect, test } from "vitest";
import { httpPort } from "./http-port.ts";

test.each([
  [undefined, 8080],
  ["", 8080],
  ["0", 0],
  ["9090", 9090],
  ["65535", 65535],
])("ROLLCAST_HTTP_PORT=%s is port %d", (text, port) => {
  expect(httpPort({ ROLLCAST_HTTP_PORT: text })).toBe(port);
});

test.each(["65536", "-1", "1.5", "http", "0x50", " 80", "1e3"])("port %j is refused", (text) => {
  expect(() => httpPort({ ROLLCAST_HTTP_PORT: text })).toThrow("must be 0 to 65535");
});
