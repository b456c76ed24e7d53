import { expect, test } from "vitest";
import { standInFor } from "./build.ts";

test.each([
  "node:24-bookworm-slim",
  "gcr.io/distroless/nodejs24-debian12:nonroot",
  "nats:2.12-alpine",
  "redis:8-alpine",
  "rancher/k3s:v1.35.5-k3s1",
])("something stands in for %s", (image) => {
  expect(standInFor(image).changes.length).toBeGreaterThan(0);
});

// A stand-in for one version need not behave like another.
test.each(["postgres:17", "node:26-bookworm-slim", "redis:9-alpine", "other/nats:2.12-alpine"])(
  "nothing stands in for %s, which the error names",
  (image) => {
    expect(() => standInFor(image)).toThrow(image);
  },
);
