import { expect, test } from "vitest";
import { baseImages } from "./base-images.ts";

test.each([
  [
    "a stage's image",
    "FROM node:24 AS build\nFROM distroless:nonroot\n",
    ["distroless:nonroot", "node:24"],
  ],
  ["each once", "FROM node:24 AS a\nFROM node:24 AS b\n", ["node:24"]],
  ["no stage that is built on", "FROM node:24 AS a\nFROM a\nFROM scratch\n", ["node:24"]],
  ["a platform", "from --platform=$BUILDPLATFORM node:24 as a\n", ["node:24"]],
  ["no digest", `FROM node:24@sha256:${"0".repeat(64)}\n`, ["node:24"]],
  [
    "what is copied from",
    "FROM scratch\nCOPY --from=busybox:1 --chown=1 /bin /bin\n",
    ["busybox:1"],
  ],
  [
    "no stage that is copied from",
    "FROM a:1 AS a\nFROM b:1\nCOPY --from=a / /\nCOPY --from=0 / /\n",
    ["a:1", "b:1"],
  ],
  [
    "what is mounted from, over lines",
    "FROM a:1\nRUN --mount=type=cache,target=/x \\\n  --mount=type=bind,from=c:1,target=/y ls\n",
    ["a:1", "c:1"],
  ],
])("a Dockerfile is built from %s", (_, dockerfile, images) => {
  expect(baseImages(dockerfile, {})).toEqual(images);
});

test("a compose file fetches the images of what it does not build", () => {
  const services = {
    nats: { image: "nats:2.12-alpine" },
    other: { image: `nats:2.12-alpine@sha256:${"a".repeat(64)}` },
    watcher: { image: "rollcast-watcher", build: {} },
    again: { build: {} },
    shares: { image: "rollcast-watcher" },
  };
  expect(baseImages("", services)).toEqual(["nats:2.12-alpine"]);
});
