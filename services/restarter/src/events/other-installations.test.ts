import type { Installation } from "@rollcast/nats/installation";
import { createLogger } from "@rollcast/runtime/logger";
import { createMetrics } from "@rollcast/runtime/metrics";
import { expect, test } from "vitest";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { createWorkloadIndex } from "../index/workload-index.ts";
import { formatMarker } from "../model/content.ts";
import type { Workload } from "../model/workload.ts";
import type { KubeEvent } from "./kube-events.ts";
import { watchOtherInstallations } from "./other-installations.ts";

const DAY_MS = 86_400_000;
const WEB = "Deployment/shop/web";

function marker(keyId: string, content = "a"): string {
  return formatMarker(
    { "ConfigMap/shop/cfg": { digest: `${keyId}.${content.repeat(32)}` } },
    "shop",
  );
}

/** An index that is watched by the installation with the key `k1`. */
function watching() {
  let now = 1_000;
  let version = 100;
  let installation: Installation = { v: 1, installedAt: 0, keyId: "k1" };
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger("test", "info", {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const events: KubeEvent[] = [];
  const index = createWorkloadIndex(rulesOf());
  const others = watchOtherInstallations({
    index,
    installation: () => installation,
    recordEvent: (event) => void events.push(event),
    logger,
    metrics: createMetrics(),
    clock: () => now,
  });
  return {
    others,
    lines,
    events,
    index,
    put(text: string | undefined, over: Partial<Workload> = {}) {
      version += 1;
      const workload = givenWorkload({ annotations: { "rollcast.dev/auto": "true" } });
      const written = { marker: text, ownsMarker: true, resourceVersion: String(version) } as const;
      index.apply({ ...workload, ...written, ...over });
    },
    pass: (ms: number) => void (now += ms),
    set: (next: Installation) => void (installation = next),
  };
}

test("a marker of another installation that comes while we look is reported once, on the workload too", () => {
  const { others, lines, events, put } = watching();
  put(marker("k1"));
  put(marker("k9"));
  put(marker("k1", "b"));
  put(marker("k9", "b"));

  expect(lines).toMatchObject([
    { level: "warn", keyId: "k9", ownKeyId: "k1", workload: { namespace: "shop", name: "web" } },
  ]);
  expect(events).toMatchObject([{ type: "Warning", reason: "OtherInstallation" }]);
  expect(events[0]?.note).toContain("key k9, ours k1");
  expect(others.all()).toEqual([{ keyId: "k9", workloads: [WEB] }]);
});

test.each([
  { name: "ours", text: marker("k1"), over: {} },
  { name: "an earlier one of ours", text: marker("k0"), over: {} },
  {
    name: "what somebody copied from elsewhere",
    text: marker("k9"),
    over: { ownsMarker: undefined },
  },
  { name: "on what no source may roll", text: marker("k9"), over: { mayRoll: false } },
  { name: "taken off", text: undefined, over: {} },
])("a marker that is $name is not of another installation", ({ text, over }) => {
  const { others, lines, put, set } = watching();
  set({ v: 1, installedAt: 0, keyId: "k1", earlierKeyIds: ["k0"] });
  put(marker("k1", "b"), over);
  put(text, over);
  others.reportPresent();

  expect(lines).toEqual([]);
  expect(others.all()).toEqual([]);
});

test("after our own rollout the workload counts for a day, and no longer than it exists", () => {
  const { others, index, put, pass } = watching();
  put(marker("k1"));
  put(marker("k9"));
  put(marker("k1", "b"));
  pass(DAY_MS - 1);
  expect(others.keyIdOf(WEB)).toBe("k9");
  pass(1);
  expect(others.keyIdOf(WEB)).toBeUndefined();

  put(marker("k9", "b"));
  index.forget(WEB);
  expect(others.all()).toEqual([]);
});

test("markers that are there at the start are one line for each key, which says how to adopt it", () => {
  const { others, lines, events, put, set } = watching();
  for (const name of ["a", "b", "c", "d"]) put(marker("k9"), { name, uid: name });
  others.reportPresent();

  expect(lines).toMatchObject([
    {
      keyId: "k9",
      ownKeyId: "k1",
      workloads: 4,
      first: ["Deployment/shop/a", "Deployment/shop/b", "Deployment/shop/c"],
      ifEarlierKey: 'installationKey: { earlierIds: ["k9"] }',
    },
  ]);
  expect(events).toEqual([]);
  set({ v: 1, installedAt: 0, keyId: "k1", earlierKeyIds: ["k9"] });
  expect(others.all()).toEqual([]);
});
