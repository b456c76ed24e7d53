import type { CommonOrder } from "@rollcast/kube/resource-version";
import { describe, expect, test } from "vitest";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { createWorkloadIndex } from "./workload-index.ts";
import type { Workload } from "../model/workload.ts";

function workload(name: string, over: Partial<Workload> = {}): Workload {
  return {
    kind: "Deployment",
    namespace: "shop",
    name,
    uid: `uid-${name}`,
    resourceVersion: "10",
    generation: 1,
    templateHash: "t1",
    status: { state: "complete" },
    references: [{ kind: "ConfigMap", name: "cfg", keys: "*" }],
    optIn: givenWorkload().optIn,
    marks: givenWorkload().marks,
    ...over,
  } as Workload;
}
const users = (index: ReturnType<typeof createWorkloadIndex>, source = "cfg") =>
  index.usersOf(`ConfigMap/shop/${source}`).map((user) => user.name);

test("returns the users of a source, also after their use changed", () => {
  const index = createWorkloadIndex(rulesOf());
  index.apply(workload("a"));
  index.apply(workload("b"));
  expect(users(index)).toEqual(["a", "b"]);
  const other = [{ kind: "ConfigMap", name: "other", keys: "*" }] as const;
  index.apply(workload("a", { resourceVersion: "11", references: other }));
  expect(users(index)).toEqual(["b"]);
  expect(users(index, "other")).toEqual(["a"]);
});

test("returns the workloads that name a source, plainly, by pattern and in another namespace", () => {
  const index = createWorkloadIndex(rulesOf());
  const rules = rulesOf({ sharedNamespaces: ["common"] });
  const naming = (name: string, list: string) =>
    givenWorkload({
      annotations: { "configmap.reloader.stakater.com/reload": list },
      metadata: { name },
      spec: { containers: [] },
      rules,
    });
  index.apply(naming("plain", "other"));
  index.apply(naming("pattern", "cfg-.*"));
  index.apply(naming("shared", "common/cfg-.*,common/plain"));
  expect(users(index, "other")).toEqual(["plain"]);
  expect(users(index, "cfg-1")).toEqual(["pattern"]);
  expect(users(index, "cfg")).toEqual([]);
  const shared = (source: string) =>
    index.usersOf(`ConfigMap/common/${source}`).map(({ name }) => name);
  expect([shared("cfg-1"), shared("plain"), shared("no")]).toEqual([["shared"], ["shared"], []]);
  index.forget("Deployment/shop/pattern");
  expect(users(index, "cfg-1")).toEqual([]);
});

test("never goes back to an older version, except of another uid that is listed or watched", () => {
  const index = createWorkloadIndex(rulesOf());
  index.apply(workload("a", { resourceVersion: "12", generation: 2 }));
  index.apply(workload("a", { resourceVersion: "9" }));
  expect(index.get("Deployment/shop/a")?.generation).toBe(2);
  // A patch may have been answered before its workload was deleted and made again.
  index.apply(workload("a", { resourceVersion: "9", uid: "uid-new" }));
  expect(index.get("Deployment/shop/a")?.uid).not.toBe("uid-new");
  // In a cluster that was restored versions go back.
  index
    .handler("Deployment")
    .upsert(workload("a", { resourceVersion: "9", uid: "uid-new" }), "watch");
  expect(index.get("Deployment/shop/a")?.uid).toBe("uid-new");
});

test.each(["watch", "list"])(
  "an answer of before brings no workload back that the %s has shown to be gone",
  (how) => {
    const index = createWorkloadIndex(rulesOf());
    const handler = index.handler("Deployment");
    void handler.upsert(workload("a"), "watch");
    if (how === "watch") void handler.removed(workload("a", { resourceVersion: "12" }));
    else {
      void handler.listStarted?.();
      void handler.listed({ resourceVersion: "20" });
    }
    index.apply(workload("a", { resourceVersion: "11" }));
    expect(index.get("Deployment/shop/a")).toBeUndefined();
    index.apply(workload("a", { resourceVersion: "13", uid: "uid-new" }));
    expect(index.get("Deployment/shop/a")?.uid).toBe("uid-new");
  },
);

test.each([
  { name: "the same template", over: {}, podsSince: 4_000, createdVersion: undefined },
  {
    name: "another template",
    over: { templateHash: "t2" },
    podsSince: undefined,
    createdVersion: "20",
  },
  {
    name: "a marker of ours",
    over: { marker: "{}" },
    podsSince: undefined,
    createdVersion: "20",
  },
])("a workload is made with $name over pods that were left: since $podsSince", (given) => {
  const index = createWorkloadIndex(rulesOf(), () => 7);
  const handler = index.handler("Deployment");
  const left = { templateHash: "t1", createdAt: 1_000, editedAt: 4_000 };
  void handler.upsert(workload("a", left), "watch");
  void handler.upsert(workload("a", { ...left, resourceVersion: "11", orphans: true }), "watch");
  void handler.removed(workload("a", { ...left, resourceVersion: "12", editedAt: 6_000 }));
  const next = { resourceVersion: "20", uid: "uid-new", templateHash: "t1", ...given.over };
  void handler.upsert(workload("a", next), "watch");
  void handler.upsert(workload("a", { ...next, resourceVersion: "21" }), "watch");
  const { podsSince, createdVersion } = given;
  expect(index.get("Deployment/shop/a")).toMatchObject({ podsSince, createdVersion });
});

test("pods that are left again and again began with the first", () => {
  const index = createWorkloadIndex(rulesOf(), () => 7);
  const handler = index.handler("Deployment");
  for (const i of [1, 2, 3]) {
    const made = { uid: `uid-${i}`, createdAt: i * 1_000 };
    const at = (n: number) => ({ ...made, resourceVersion: String(i * 10 + n) });
    void handler.upsert(workload("a", at(0)), "watch");
    void handler.upsert(workload("a", { ...at(1), orphans: true }), "watch");
    if (i < 3) void handler.removed(workload("a", at(2)));
  }
  expect(index.get("Deployment/shop/a")?.podsSince).toBe(1_000);
});

test("one that is made again after a deletion with its pods has left none", () => {
  const index = createWorkloadIndex(rulesOf(), () => 7);
  const handler = index.handler("Deployment");
  void handler.upsert(workload("a"), "watch");
  void handler.removed(workload("a", { resourceVersion: "12" }));
  void handler.upsert(workload("a", { resourceVersion: "20", uid: "uid-new" }), "watch");
  expect(index.get("Deployment/shop/a")?.podsSince).toBeUndefined();
  expect(index.get("Deployment/shop/a")?.createdVersion).toBe("20");
});

test("a workload that was restored is shown again, whatever was shown of its end", () => {
  const index = createWorkloadIndex(rulesOf());
  const handler = index.handler("Deployment");
  void handler.upsert(workload("a"), "watch");
  void handler.removed(workload("a", { resourceVersion: "12" }));
  void handler.upsert(workload("a"), "list");
  index.apply(workload("a", { resourceVersion: "11" }));
  expect(index.get("Deployment/shop/a")?.resourceVersion).toBe("11");
});

test("a full list removes what it no longer has, and only what came from its own reflector", () => {
  const index = createWorkloadIndex(rulesOf());
  const [shop, other] = [index.handler("Deployment"), index.handler("Deployment")];
  void shop.upsert(workload("a"), "list");
  void shop.upsert(workload("b"), "list");
  void other.upsert(workload("c", { namespace: "other" }), "list");
  const removed: string[] = [];
  index.listen({ changed: () => undefined, removed: ({ name }) => removed.push(name) });
  void shop.listStarted?.();
  void shop.upsert(workload("b"), "list");
  void shop.listed({ resourceVersion: "20" });
  expect(removed).toEqual(["a"]);
  expect([...index.all()].map(({ name }) => name)).toEqual(["b", "c"]);
});

test("a watched edit is dated by the clock and has its version, and both are kept", () => {
  const index = createWorkloadIndex(rulesOf(), () => 4_300);
  const watch = index.handler("Deployment");
  watch.upsert(workload("a", { editedAt: 1_000 }), "watch");
  watch.upsert(
    workload("a", { resourceVersion: "11", templateHash: "t2", editedAt: 4_000 }),
    "watch",
  );
  const edited = { editedAt: 4_300, editedVersion: "11" };
  expect(index.get("Deployment/shop/a")).toMatchObject(edited);
  watch.upsert(
    workload("a", { resourceVersion: "12", templateHash: "t2", editedAt: 4_000 }),
    "watch",
  );
  expect(index.get("Deployment/shop/a")).toMatchObject(edited);
  index.apply(workload("a", { resourceVersion: "13", templateHash: "t2", editedAt: 4_000 }));
  expect(index.get("Deployment/shop/a")).toMatchObject(edited);
});

test("an edit that a lagging watch delivers late is dated in the second of managedFields", () => {
  const index = createWorkloadIndex(rulesOf(), () => 25_000);
  const watch = index.handler("Deployment");
  watch.upsert(workload("a", { editedAt: 1_000 }), "watch");
  watch.upsert(
    workload("a", { resourceVersion: "11", templateHash: "t2", editedAt: 4_000 }),
    "watch",
  );
  expect(index.get("Deployment/shop/a")?.editedAt).toBe(4_999);
  watch.upsert(
    workload("a", { resourceVersion: "12", templateHash: "t3", editedAt: undefined }),
    "watch",
  );
  expect(index.get("Deployment/shop/a")?.editedAt).toBe(25_000);
});

test("a write that only takes something off the template has no time in managedFields: it is dated by the clock", () => {
  let now = 4_300;
  const index = createWorkloadIndex(rulesOf(), () => now);
  const watch = index.handler("Deployment");
  const marked = { editedAt: 1_000, rollBy: "patch", marker: "m", ownsMarker: true } as const;
  watch.upsert(workload("a", marked), "watch");
  now = 9_000;
  watch.upsert(workload("a", { resourceVersion: "11", editedAt: 1_000, rollBy: "patch" }), "watch");
  const unmarked = { editedAt: 9_000, editedVersion: "11" };
  expect(index.get("Deployment/shop/a")).toMatchObject(unmarked);
  now = 10_000;
  watch.upsert(
    workload("a", { resourceVersion: "12", templateHash: "t2", editedAt: 1_000 }),
    "watch",
  );
  expect(index.get("Deployment/shop/a")).toMatchObject({ editedAt: 10_000, editedVersion: "12" });
});

test.each(["a list", "an answer"])(
  "an edit that %s shows has the second of managedFields, and was made by its version at the latest",
  (how) => {
    const index = createWorkloadIndex(rulesOf(), () => 4_300);
    const watch = index.handler("Deployment");
    watch.upsert(workload("a", { editedAt: 1_000 }), "watch");
    watch.upsert(
      workload("a", { resourceVersion: "11", templateHash: "t2", editedAt: 2_000 }),
      "watch",
    );
    const next = workload("a", { resourceVersion: "12", templateHash: "t3", editedAt: 4_000 });
    if (how === "an answer") index.apply(next);
    else watch.upsert(next, "list");
    const { editedAt, editedVersion } = index.get("Deployment/shop/a") ?? {};
    expect({ editedAt, editedVersion }).toEqual({ editedAt: 4_000, editedVersion: "12" });
  },
);

test("a workload has the version of its creation where the watch showed that", () => {
  const index = createWorkloadIndex(rulesOf());
  const watch = index.handler("Deployment");
  const created = (name: string) => index.get(`Deployment/shop/${name}`)?.createdVersion;
  watch.upsert(workload("listed"), "list");
  watch.upsert(workload("listed", { resourceVersion: "11" }), "watch");
  expect(created("listed")).toBeUndefined();
  watch.upsert(workload("new", { resourceVersion: "12" }), "watch");
  index.apply(workload("new", { resourceVersion: "13" }));
  expect(created("new")).toBe("12");
  watch.upsert(workload("new", { resourceVersion: "14", uid: "again" }), "watch");
  expect(created("new")).toBe("14");
  index.apply(workload("new", { resourceVersion: "16", uid: "third" }));
  expect(created("new")).toBeUndefined();
});

test("a template that is put back before the workload came to rest was edited when it was", () => {
  let now = 1_000;
  const index = createWorkloadIndex(rulesOf(), () => now);
  const watch = index.handler("Deployment");
  let version = 10;
  const show = (over: Partial<Workload>, ms = 1_000) => {
    now += ms;
    const editedAt = over.templateHash === undefined ? undefined : now;
    const resourceVersion = String(++version);
    const next = { rollBy: "patch", editedAt, ...over, resourceVersion } as const;
    watch.upsert(workload("a", next), "watch");
    return index.get("Deployment/shop/a")?.editedAt;
  };
  const broken = { status: { state: "progressing" } } as const;
  show({});
  const edited = show({ templateHash: "t2", ...broken });
  show({ templateHash: "t2" });
  expect(show({ templateHash: "t3", ...broken })).toBeGreaterThan(edited ?? 0);
  expect(show({ templateHash: "t2", ...broken })).toBe(edited);
  // With another marker, it is another template.
  expect(show({ templateHash: "t2", marker: "m", ...broken })).toBe(now);
  expect(show({ templateHash: "t2", ...broken })).toBe(edited);
  show({ templateHash: "t2" });
  // All pods have t2: none is left of t3, nor of the one that had the marker.
  show({ templateHash: "t4", ...broken });
  expect(show({ templateHash: "t3", ...broken })).toBe(now);
});

describe("a cluster that was restored from a backup", () => {
  const later = { resourceVersion: "30", templateHash: "t2", editedAt: 9_000 };
  const before = { resourceVersion: "20", generation: 1, editedAt: 4_000 };
  const opened = () => {
    const index = createWorkloadIndex(rulesOf(), () => 9_000);
    const watch = index.handler("Deployment");
    watch.upsert(workload("a"), "watch");
    watch.upsert(workload("a", later), "watch");
    const list = (resourceVersion: string) => {
      watch.listing?.({ resourceVersion });
      watch.upsert(workload("a", before), "list");
    };
    const get = () => index.get("Deployment/shop/a");
    return { index, list, get };
  };
  const restored = { ...before, editedVersion: "20" };

  test("is shown by a list of an older version, whose workloads count", () => {
    const { list, get } = opened();
    list("25");
    expect(get()).toMatchObject(restored);
    expect(get()?.isEditShown ?? get()?.createdVersion).toBeUndefined();
  });

  test("is not shown by an older page of a list that began later", () => {
    const { list, get } = opened();
    list("31");
    expect(get()).toMatchObject(later);
  });

  test("is shown by an answer that is older than what was known when it was asked for", () => {
    const { index, get } = opened();
    const indexed = get();
    index.apply(workload("a", before));
    expect(get()).toMatchObject(later);
    index.apply(workload("a", before), indexed);
    expect(get()).toMatchObject(restored);
  });

  test("is not shown by an answer that the watch was faster than", () => {
    const { index, get } = opened();
    index.apply(workload("a", before), workload("a"));
    expect(get()).toMatchObject(later);
  });
});

test("waits for the next change of one workload", async () => {
  const index = createWorkloadIndex(rulesOf());
  const waited = index.nextChange("Deployment/shop/a", 60_000);
  index.apply(workload("b"));
  index.apply(workload("a"));
  expect(await waited).toBe(true);
  expect(await index.nextChange("Deployment/shop/a", 1)).toBe(false);
});

test("an answer of the version that is indexed wakes nobody", async () => {
  const index = createWorkloadIndex(rulesOf());
  index.handler("Deployment").upsert(workload("a"), "watch");
  const changed: string[] = [];
  index.listen({ changed: ({ name }) => changed.push(name), removed: () => undefined });
  const waited = index.nextChange("Deployment/shop/a", 1);
  index.apply(workload("a"));
  expect(changed).toEqual([]);
  expect(await waited).toBe(false);
  index.apply(workload("a", { resourceVersion: "11" }));
  expect(changed).toEqual(["a"]);
});

test("a workload referenced by another reports the pods' state of its referrer", () => {
  const rules = rulesOf();
  const index = createWorkloadIndex(rules);
  const target = givenWorkload({ metadata: { name: "tpl", generation: 3 } });
  const referrer = (observedGeneration: number, over: Partial<Workload> = {}): Workload => ({
    ...givenWorkload({ metadata: { name: "roll", uid: "r" } }),
    kind: "Rollout",
    annotations: { "rollcast.dev/auto": "true" },
    paused: true,
    workloadRef: { kind: "Deployment", name: "tpl", observedGeneration },
    status: { state: "complete" },
    mayRoll: false,
    ...over,
  });
  const state = () => {
    const template = index.get("Deployment/shop/tpl");
    return [template?.mayRoll, template?.paused, template?.status.state];
  };
  index.apply(target);
  expect(state()).toEqual([false, false, target.status.state]);
  const changed: string[] = [];
  index.listen({ changed: ({ name }) => changed.push(name), removed: () => undefined });
  index.apply(referrer(2));
  expect(changed).toEqual(["roll", "tpl"]);
  expect(state()).toEqual([true, true, "unobserved"]);
  expect(index.get("Deployment/shop/tpl")?.referrer).toEqual({ kind: "Rollout", name: "roll" });
  index.apply(referrer(3, { paused: false, resourceVersion: "101" }));
  expect(state()).toEqual([true, false, "complete"]);
  // Also if the template changes later.
  index.apply({ ...target, resourceVersion: "101", generation: 4 });
  expect(state()).toEqual([true, false, "unobserved"]);
  index.forget("Rollout/shop/roll");
  expect(state()).toEqual([false, false, target.status.state]);
});

test("a workload is its own again when its referrer takes the template of another, or has its own", () => {
  const index = createWorkloadIndex(rulesOf());
  const target = (name: string) => givenWorkload({ metadata: { name, uid: name } });
  const referrer = (version: string, name: string | undefined): Workload => ({
    ...givenWorkload({ metadata: { name: "roll", uid: "r", resourceVersion: version } }),
    kind: "Rollout",
    annotations: { "rollcast.dev/auto": "true" },
    workloadRef:
      name === undefined ? undefined : { kind: "Deployment", name, observedGeneration: 1 },
    paused: true,
    mayRoll: false,
  });
  const paused = () => ["a", "b"].map((name) => index.get(`Deployment/shop/${name}`)?.paused);
  index.apply(target("a"));
  index.apply(target("b"));
  index.apply(referrer("11", "a"));
  expect(paused()).toEqual([true, false]);
  index.apply(referrer("12", "b"));
  expect(paused()).toEqual([false, true]);
  index.apply(referrer("13", undefined));
  expect(paused()).toEqual([false, false]);
});

test("a watch that comes after a read still says when the template was edited", () => {
  let time = 4_300;
  const index = createWorkloadIndex(rulesOf(), () => time);
  const watch = index.handler("Deployment");
  const edited = (resourceVersion: string) =>
    workload("a", { resourceVersion, templateHash: "t2", editedAt: 4_000 });
  watch.upsert(workload("a", { editedAt: 1_000 }), "watch");
  index.apply(edited("13"));
  expect(index.get("Deployment/shop/a")).toMatchObject({ isAhead: true, editedAt: 4_000 });
  expect(index.get("Deployment/shop/a")?.editedVersion).toBe("13");

  watch.upsert(edited("11"), "watch");
  const late = { resourceVersion: "13", editedAt: 4_300, editedVersion: "11" };
  expect(index.get("Deployment/shop/a")).toMatchObject({ ...late, isAhead: true });

  time = 9_000;
  watch.upsert(edited("12"), "watch");
  watch.upsert(edited("13"), "watch");
  expect(index.get("Deployment/shop/a")).toMatchObject(late);
  expect(index.get("Deployment/shop/a")?.isAhead).toBeUndefined();
});

test("a workload that is made again, and read before its watch, gets the version of its creation", () => {
  const index = createWorkloadIndex(rulesOf());
  const watch = index.handler("Deployment");
  const next = (resourceVersion: string) => workload("a", { resourceVersion, uid: "uid-new" });
  watch.upsert(workload("a"), "watch");
  watch.removed(workload("a", { resourceVersion: "11" }));
  index.apply(next("14"));
  watch.upsert(next("12"), "watch");
  watch.upsert(next("14"), "watch");
  expect(index.get("Deployment/shop/a")).toMatchObject({ uid: "uid-new", editedVersion: "12" });
});

test("a write that leaves the template as it is, by its manager, is no edit", () => {
  const index = createWorkloadIndex(rulesOf());
  const watch = index.handler("Deployment");
  watch.upsert(workload("a", { editedAt: 1_000 }), "watch");
  watch.upsert(workload("a", { resourceVersion: "11", editedAt: 8_000 }), "watch");
  expect(index.get("Deployment/shop/a")?.editedAt).toBe(1_000);
});

test("each version that the watch shows, or a list begins with, counts for the order of writes", async () => {
  const shown: string[] = [];
  const order: CommonOrder = {
    shown: (side, kind, { version, time }) =>
      void shown.push([side, kind, version, time].join(" ")),
    isConfirmed: () => false,
  };
  const index = createWorkloadIndex(rulesOf(), () => 7, order);
  const handler = index.handler("Deployment");
  await handler.listing?.({ resourceVersion: "11" });
  handler.upsert(workload("a", { resourceVersion: "10" }), "list");
  index.apply(workload("a", { resourceVersion: "12" }));
  handler.upsert(workload("a", { resourceVersion: "13" }), "watch");
  handler.upsert(workload("a", { resourceVersion: "12" }), "watch");
  expect(shown).toEqual(["11", "13", "12"].map((version) => `workloads Deployment ${version} 7`));
});

test("an edit that the watch shows has its own version, one of a list has that at the latest", () => {
  const index = createWorkloadIndex(rulesOf(), () => 4_300);
  const handler = index.handler("Deployment");
  const edited = (resourceVersion: string) =>
    workload("a", { resourceVersion, templateHash: resourceVersion });
  const isShown = () => index.get("Deployment/shop/a")?.isEditShown;
  handler.upsert(edited("11"), "watch");
  expect(isShown()).toBeUndefined();
  handler.upsert(edited("12"), "watch");
  expect(isShown()).toBe(true);
  handler.upsert({ ...edited("12"), resourceVersion: "13" }, "watch");
  expect(isShown()).toBe(true);
  handler.upsert(edited("14"), "list");
  expect(isShown()).toBeUndefined();
});
