import { expect, test } from "vitest";
import { transformPodStatus } from "./csi-transform.ts";
import { installationKey } from "../model/transform.ts";

const key = installationKey(Buffer.alloc(32, 1));
const status = (pod: string, objects: unknown, secretProviderClassName: unknown = "vault") => ({
  metadata: {
    name: `${pod}-shop-vault`,
    namespace: "shop",
    uid: `uid-${pod}`,
    resourceVersion: "5",
  },
  status: { podName: pod, secretProviderClassName, mounted: true, objects },
});
const objects = [
  { id: "secret/db", version: "v1" },
  { id: "secret/api", version: "v7" },
];

test("two pods with the same versions show the same content, in any order", () => {
  const first = transformPodStatus(key, status("web-1", objects));
  const second = transformPodStatus(key, status("web-2", objects.toReversed()));

  expect(first?.content).toMatch(/^[0-9a-f]{32}$/);
  expect(second?.content).toBe(first?.content);
  expect(Object.keys(first?.digests ?? {}).sort()).toEqual(["secret/api", "secret/db"]);
  expect(JSON.stringify(first)).not.toContain('"v7"');
});

test("another version, or another class, is other content", () => {
  const content = (of: ReturnType<typeof status>) => transformPodStatus(key, of)?.content;
  const base = content(status("web-1", objects));

  expect(content(status("web-1", [objects[0], { id: "secret/api", version: "v8" }]))).not.toBe(
    base,
  );
  expect(content(status("web-1", objects, "other"))).not.toBe(base);
});

test("before anything is mounted there is no content", () => {
  expect(transformPodStatus(key, status("web-1", undefined))?.content).toBe("");
  expect(transformPodStatus(key, status("web-1", []))?.content).toBe("");
});

test("a status that names no class is left out, and odd objects are no reason to fail", () => {
  expect(transformPodStatus(key, status("web-1", objects, 7))).toBeUndefined();
  expect(transformPodStatus(key, status("web-1", [null, 5, { id: 1 }]))?.content).toBe("");
});

test("long ids are cut and stay apart", () => {
  const long = "x".repeat(300);
  const pod = transformPodStatus(
    key,
    status("web-1", [
      { id: `${long}a`, version: "1" },
      { id: `${long}b`, version: "1" },
    ]),
  );

  expect(Object.keys(pod?.digests ?? {})).toHaveLength(2);
});
