import type { ApiRoute } from "@rollcast/shared/api/route";
import { expect, test } from "vitest";
import { createRouteTable } from "./server.ts";

function route(method: ApiRoute["spec"]["method"], path: ApiRoute["spec"]["path"]): ApiRoute {
  const spec = { method, path, name: `${method} ${path}`, summary: "" };
  return { spec, handle: async () => undefined };
}

const match = createRouteTable([
  route("GET", "/v1/things"),
  route("GET", "/v1/things/{kind}/{name}"),
  route("DELETE", "/v1/things/{kind}/{name}"),
  route("POST", "/v1/things/{kind}/{name}/touch"),
]);
const LONG = "x".repeat(253);

test.each([
  ["GET", "/v1/things", "GET /v1/things", {}],
  ["GET", "/v1/things/a/b", "GET /v1/things/{kind}/{name}", { kind: "a", name: "b" }],
  ["DELETE", "/v1/things/a/b", "DELETE /v1/things/{kind}/{name}", { kind: "a", name: "b" }],
  ["POST", "/v1/things/a/b/touch", "POST /v1/things/{kind}/{name}/touch", { kind: "a", name: "b" }],
  ["GET", "/v1/things/a/b%2Fc", "GET /v1/things/{kind}/{name}", { kind: "a", name: "b/c" }],
  ["GET", "/v1/things/a/%zz", "GET /v1/things/{kind}/{name}", { kind: "a", name: "%zz" }],
  ["GET", `/v1/things/a/${LONG}`, "GET /v1/things/{kind}/{name}", { kind: "a", name: LONG }],
])("%s %s is a request for one route, with its parameters", (method, path, name, params) => {
  const { route: matched, params: actual } = match(method, path);
  expect([matched?.spec.name, actual]).toEqual([name, params]);
});

test.each([
  ["PUT", "/v1/things", ["GET"]],
  ["HEAD", "/v1/things", ["GET"]],
  ["POST", "/v1/things/a/b", ["GET", "DELETE"]],
  ["GET", "/v1/things/", []],
  ["GET", "/v1/things/a", []],
  ["GET", "/v1/things/a/", []],
  ["GET", "/v1/things/a/b/c/d", []],
  ["GET", "/x/v1/things", []],
])("%s %s has no route; the path takes %j", (method, path, methods) => {
  expect(match(method, path)).toEqual({ route: undefined, params: {}, methods });
});
