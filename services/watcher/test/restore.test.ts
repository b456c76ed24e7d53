import { startCluster } from "@rollcast/testkit/cluster";
import { configMap, paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { expectConsistent } from "./consistency.ts";
import { startWatcherHarness, changesOf } from "./harness.ts";

test("a cluster restored from an older etcd snapshot: later changes are published, nothing is stuck", async () => {
  await using cluster = await startCluster({ controllers: false });
  await using harness = await startWatcherHarness({ cluster });
  const { api, namespace } = harness;
  const create = (name: string, v: string) =>
    api.create(paths.configMap(namespace), configMap(namespace, name, { v }));
  const set = (name: string, v: string) =>
    api.patch(paths.configMap(namespace, name), { data: { v } });
  const remove = (name: string) => api.remove(paths.configMap(namespace, name));
  for (const name of ["same", "edited", "removed", "again", "old-tombstone"]) {
    await create(name, "0");
  }
  await using a = await harness.startInProcess();
  await using _b = await harness.startInProcess();
  // Within the stream's duplicate window: the restored content was published before under this
  // object's old version.
  await set("edited", "1");
  await remove("old-tombstone");
  await waitFor(async () => changesOf(await harness.events(), "old-tombstone").length === 1);

  const snapshot = await cluster.snapshot();
  for (const v of ["2", "3", "4"]) {
    for (const name of ["same", "edited"]) await set(name, v);
  }
  await set("same", "0");
  await remove("removed");
  await remove("again");
  await create("again", "5");
  await create("later", "0");
  await create("later-gone", "0");
  await remove("later-gone");
  await waitFor(async () => changesOf(await harness.events(), "later-gone").length === 2, {
    timeout: 60_000,
  });
  await expectConsistent(harness);

  await cluster.restore(snapshot);
  await expectConsistent(harness, { timeout: 90_000, restored: true });
  const after = await harness.events();
  expect(changesOf(after, "edited").at(-1)).toBe("changed DataChanged");
  expect(changesOf(after, "later").at(-1)).toBe("deleted Deleted");
  expect(changesOf(after, "removed").at(-1)).toBe("created Recreated");
  expect(changesOf(after, "again").at(-1)).toBe("changed Recreated");

  // Versions grow from the snapshot's again, below those that were recorded before.
  for (const name of ["same", "edited", "removed", "again"]) await set(name, "6");
  await create("old-tombstone", "6");
  await create("later", "6");
  await create("later-gone", "6");
  await remove("again");
  await expectConsistent(harness);
  const end = await harness.events();
  for (const name of ["same", "edited", "removed"]) {
    expect(changesOf(end, name).at(-1)).toBe("changed DataChanged");
  }
  expect(changesOf(end, "later").at(-1)).toBe("changed Recreated");
  expect(changesOf(end, "old-tombstone").at(-1)).toBe("changed Recreated");
  await waitFor(() => a.ready() === undefined);
});
