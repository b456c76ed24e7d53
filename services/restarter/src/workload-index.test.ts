import { expect, test } from "vitest";
import { createWorkloadIndex } from "./workload-index.ts";
import type { Workload } from "./workload.ts";

function workload(name: string, over: Partial<Workload> = {}): Workload {
  return {
    kind: "Deployment",
    namespace: "shop",
    name,
    uid: `uid-${name}`,
    resourceVersion: "10",
    generation: 1,
    templateHash: "t1",
    references: [{ kind: "ConfigMap", name: "cfg", keys: "*" }],
    ...over,
  } as Workload;
}
const users = (index: ReturnType<typeof createWorkloadIndex>, source = "cfg") =>
  index.usersOf(`ConfigMap/shop/${source}`).map((one) => one.name);

test("knows who uses a source, also after the use changed", () => {
  const index = createWorkloadIndex();
  index.apply(workload("a"));
  index.apply(workload("b"));
  expect(users(index)).toEqual(["a", "b"]);
  const other = [{ kind: "ConfigMap", name: "other", keys: "*" }] as const;
  index.apply(workload("a", { resourceVersion: "11", references: other }));
  expect(users(index)).toEqual(["b"]);
  expect(users(index, "other")).toEqual(["a"]);
});

test("never goes back to an older version, except of another uid", () => {
  const index = createWorkloadIndex();
  index.apply(workload("a", { resourceVersion: "12", generation: 2 }));
  index.apply(workload("a", { resourceVersion: "9" }));
  expect(index.get("Deployment/shop/a")?.generation).toBe(2);
  index.apply(workload("a", { resourceVersion: "9", uid: "uid-new" }));
  expect(index.get("Deployment/shop/a")?.uid).toBe("uid-new");
});

test("a full list removes what it no longer holds, and only what its own reflector held", () => {
  const index = createWorkloadIndex();
  const [shop, other] = [index.handler(), index.handler()];
  void shop.upsert(workload("a"), "list");
  void shop.upsert(workload("b"), "list");
  void other.upsert(workload("c", { namespace: "other" }), "list");
  const removed: string[] = [];
  index.listen({ changed: () => undefined, removed: (one) => removed.push(one.name) });
  void shop.listStarted?.();
  void shop.upsert(workload("b"), "list");
  void shop.listed({ resourceVersion: "20" });
  expect(removed).toEqual(["a"]);
  expect([...index.all()].map((one) => one.name)).toEqual(["b", "c"]);
});

test("an edit that was seen is dated by the clock, and the date stays", () => {
  const index = createWorkloadIndex(() => 5_000);
  index.apply(workload("a", { editedAt: 1_000 }));
  index.apply(workload("a", { resourceVersion: "11", templateHash: "t2", editedAt: 4_000 }));
  expect(index.get("Deployment/shop/a")?.editedAt).toBe(5_000);
  index.apply(workload("a", { resourceVersion: "12", templateHash: "t2", editedAt: 4_000 }));
  expect(index.get("Deployment/shop/a")?.editedAt).toBe(5_000);
});

test("waits for the next change of one workload", async () => {
  const index = createWorkloadIndex();
  const waited = index.nextChange("Deployment/shop/a", 60_000);
  index.apply(workload("b"));
  index.apply(workload("a"));
  expect(await waited).toBe(true);
  expect(await index.nextChange("Deployment/shop/a", 1)).toBe(false);
});
