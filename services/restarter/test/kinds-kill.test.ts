import type { AnyObject } from "@rollcast/testkit/test-api";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness } from "./harness.ts";
import { cronJob, job, pathOf } from "@rollcast/testkit/shapes";

type List = { items: AnyObject[] };

const STEPS = {
  CronJob: ["pending-written", "patched", "started-published", "rolling-written"],
  Job: ["pending-written", "manifest-written", "deleted", "created", "started-published"],
} as const;

test.each(Object.entries(STEPS))(
  "%s: a restarter killed at every step loses nothing and does nothing twice",
  async (kind, steps) => {
    await using harness = await startRestarterHarness();
    const { api, namespace } = harness;
    const jobs = pathOf("batch/v1", namespace, "jobs");
    await harness.adopt("cfg", "0");
    const object =
      kind === "Job"
        ? job(namespace, "one")
        : cronJob(namespace, "one", { cron: { successfulJobsHistoryLimit: 20 } });
    await api.create(kind === "Job" ? jobs : pathOf("batch/v1", namespace, "cronjobs"), object);
    let restarter = await harness.start();
    await harness.waitCurrent(kind, "one");
    const uids = new Set<string>();
    for (const [i, failpoint] of steps.entries()) {
      for (const item of (await api.get<List>(jobs)).items) uids.add(item.metadata.uid ?? "");
      await restarter.kill();
      const victim = await harness.start({ env: { ROLLCAST_TEST_KILL_AT: failpoint } });
      await harness.change("cfg", `content ${failpoint}`);
      expect(await victim.exited, failpoint).toBe("SIGKILL");
      // The victim's job is lost with Redis instead of being waited for: the records say what is
      // due.
      await harness.redis.restart({ empty: true });
      restarter = await harness.start();
      await harness.waitEvent("succeeded", "one", i + 1);
      const { items } = await api.get<List>(jobs);
      // One more than before, and (a Job) only under its one name.
      expect(
        items.filter((item) => !uids.has(item.metadata.uid ?? "")),
        failpoint,
      ).toHaveLength(1);
      if (kind === "Job") expect(items.map((item) => item.metadata.name)).toEqual(["one"]);
    }
    expect(faultsOf(await harness.events())).toEqual([]);
    const record = await harness.record("one", kind);
    expect(record).toMatchObject({ phase: "current", outbox: [] });
    expect(JSON.stringify(record)).not.toContain("manifest");
  },
);
