import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ANNOTATIONS } from "./annotations.ts";
import { misnamedReader } from "./misnamed-annotations.ts";

const read = misnamedReader({});
const nearestTo = (name: string, value = "true") => read({ [name]: value })[0]?.nearest;

test.each([
  { name: "rollcast.dev/Auto", nearest: "rollcast.dev/auto" },
  { name: "rollcast.dev/ingore", nearest: "rollcast.dev/ignore" },
  { name: "rollcast.dev/min_interval", nearest: "rollcast.dev/min-interval" },
  { name: "rollcast.dev/pause", nearest: "rollcast.dev/pause-period" },
  { name: "reloader.stakater.com/reload", nearest: "configmap.reloader.stakater.com/reload" },
  { name: "configmaps.rollcast.dev/reload", nearest: "configmap.rollcast.dev/reload" },
  { name: "reloader.stakater.com/autos", nearest: "reloader.stakater.com/auto" },
  { name: "secrets.reloader.stakater.com/reload", nearest: "secret.reloader.stakater.com/reload" },
  { name: "reload.stakater.com/auto", nearest: "reloader.stakater.com/auto" },
  { name: "configmap.stakater.com/reload", nearest: "configmap.reloader.stakater.com/reload" },
  {
    name: "statefulset.reloader.stakater.com/pause-period",
    nearest: "deployment.reloader.stakater.com/pause-period",
  },
])("$name is none, and $nearest is the nearest", ({ name, nearest }) => {
  expect(nearestTo(name)).toBe(nearest);
});

// Of Stakater's other tools, of a test's nodes, and of those who have nothing to do with either.
test.each([
  "forecastle.stakater.com/expose",
  "monitor.stakater.com/enabled",
  "uptimerobot.monitor.stakater.com/interval",
  "authproxy.stakater.com/enabled",
  "config.xposer.stakater.com/IngressNameTemplate",
  "stakater.com/tenant",
  "test.rollcast.dev/never-ready",
  "notrollcast.dev/auto",
  "kubectl.kubernetes.io/restartedAt",
  `rollcast.dev/${"a".repeat(70)}`,
])("%s is another tool's", (name) => {
  expect(nearestTo(name)).toBeUndefined();
});

test("what is read, and what Rollcast and Reloader write, is right", () => {
  const page = readFileSync(new URL("../../../docs/annotations.md", import.meta.url), "utf8");
  const documented = [...page.matchAll(/`([a-z.]*(?:rollcast\.dev|stakater\.com)\/[a-z-]+)/g)];
  const names = [
    ...documented.map(([, name = ""]) => name),
    ...Object.values(ANNOTATIONS).flatMap(({ own, reloader }) => [own, reloader]),
    "rollcast.dev/config",
    "rollcast.dev/rollout",
    "reloader.stakater.com/last-reloaded-from",
    "deployment.reloader.stakater.com/paused-at",
  ];
  expect(documented.length).toBeGreaterThan(20);
  expect(names.filter((name) => nearestTo(name) !== undefined)).toEqual([]);
});

test("a renamed annotation is right, and so is the name that Reloader has for it", () => {
  const renamed = misnamedReader({ auto: "reload.stakater.com/auto" });
  const both = { "reload.stakater.com/auto": "true", "reloader.stakater.com/auto": "true" };
  expect(renamed(both)).toEqual([]);
  expect(renamed({ "reload.stakater.com/autos": "true" })).toEqual([
    { name: "reload.stakater.com/autos", nearest: "reload.stakater.com/auto" },
  ]);
});

test("an empty value asks for nothing, and no more are named than asked for", () => {
  expect(nearestTo("rollcast.dev/autos", "")).toBeUndefined();
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`rollcast.dev/a${i}`, "x"]));
  expect(read(many)).toHaveLength(5);
  expect(read(undefined)).toEqual([]);
});

test("of an object with thousands of names only the first that might be ours are compared", () => {
  const others = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`forecastle.stakater.com/${i}`, "x"]),
    );
  expect(read({ ...others(19), "rollcast.dev/autos": "true" })).toHaveLength(1);
  expect(read({ ...others(20), "rollcast.dev/autos": "true" })).toEqual([]);
});
