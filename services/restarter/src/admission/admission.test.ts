import { createKvStore } from "@rollcast/nats/kv-store";
import { Queues } from "@rollcast/shared/config/queues";
import { expect, test } from "vitest";
import { givenWorkload } from "../../test/given.ts";
import { freezeKey, settingsKey, stateKey } from "../model/control-entry.ts";
import type { ControlEntry } from "../model/control-entry.ts";
import { createAdmission } from "./admission.ts";

const CLUSTER = "test";
const WEB = givenWorkload();
const OTHER = givenWorkload({ metadata: { namespace: "other" } });

/** The gates where the entries of these keys are there, and cannot be read. */
function admissionWithout(...keys: readonly string[]) {
  const cache = {
    ...createKvStore<ControlEntry>(),
    isSynced: () => true,
    synced: () => Promise.resolve(),
    unreadable: new Map(keys.map((key) => [key, 1])),
  };
  return createAdmission({
    cluster: CLUSTER,
    queues: Queues.parse([{ name: "slow" }]),
    cache,
    quotaStore: { change: () => Promise.reject(new Error("not read")) },
    assigner: {
      of: ({ namespace }) => ({ queue: namespace === "shop" ? "default" : "slow" }),
      relabel: () => undefined,
    },
    workload: () => undefined,
  });
}

test("what cannot be read holds back: a freeze its scope, settings and quota their queue", () => {
  const gatesOf = (key: string) => {
    const admission = admissionWithout(key);
    return [WEB, OTHER].map((workload) => {
      const { frozen, paused } = admission.of(workload, undefined);
      return [frozen !== undefined, paused !== undefined];
    });
  };
  const [free, isFrozen, isPaused] = [
    [false, false],
    [true, false],
    [false, true],
  ];
  expect(gatesOf("test.other")).toEqual([free, free]);
  const [{ kind, namespace, name }, level] = [WEB, "workload"] as const;
  expect(gatesOf(freezeKey(CLUSTER, { level: "cluster" }))).toEqual([isFrozen, isFrozen]);
  expect(gatesOf(freezeKey(CLUSTER, { level: "namespace", namespace }))).toEqual([isFrozen, free]);
  expect(gatesOf(freezeKey(CLUSTER, { level, kind, namespace, name }))).toEqual([isFrozen, free]);
  expect(gatesOf(settingsKey(CLUSTER, "default"))).toEqual([isPaused, free]);
  expect(gatesOf(stateKey(CLUSTER, "default"))).toEqual([isPaused, free]);
});
