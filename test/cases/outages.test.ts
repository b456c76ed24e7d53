import { waitRolledOut } from "@rollcast/testkit/objects";
import { recordKey } from "@rollcast/shared/subjects";
import { cronJob, pathOf } from "@rollcast/testkit/shapes";
import { outcomeTest } from "@rollcast/testkit/outcome-test";
import { redisCommand } from "@rollcast/testkit/redis-command";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startTcpProxy } from "@rollcast/testkit/tcp-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { startNatsProxy } from "@rollcast/testkit/nats-proxy";

import { openWorld } from "./world.ts";

/**
 * After a failover the old primary refuses writes on connections that stand: only a new connection
 * leads to the new one.
 */
outcomeTest(
  "a Redis that became a read-only replica is left for the one that new connections reach (case 6)",
  {
    right: { events: ["started", "succeeded Complete"] },
  },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["failover"], services: [] }));
    const { stack } = own;
    const promoted = undo.use(await startRedis());
    const proxy = undo.use(await startTcpProxy(stack.redis.port));
    const env = { ROLLCAST_REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
    await stack.start("all-in-one", { env });
    const place = own.place("failover");
    await place.source();
    await place.deploy("web");
    proxy.redirect(promoted.port);
    await redisCommand(stack.redis.port, `REPLICAOF 127.0.0.1 ${promoted.port}`);
    begin();
    await place.change();
    // Each time that the queue refuses the job, the event comes again a second later.
    const requeued = () =>
      stack
        .logs()
        .filter(
          ({ msg, subject }) =>
            msg === "event requeued" && String(subject).includes(place.namespace),
        ).length;
    await waitFor(
      () => requeued() >= 8 || place.events("web").some((text) => text.startsWith("succeeded")),
      { message: "the rollout, or a queue that refuses it again and again" },
    );
    // Before the failover is over, nothing may be planned; a resync rolls what is due then.
    return { events: place.events("web").filter((text) => text !== "planned") };
  },
);

/**
 * The marker on the template says what the pods run, also where the records are older than it, and
 * the Jobs of a CronJob what they ran with.
 */
outcomeTest(
  "records from an older backup do not roll again what has rolled since (defect 9)",
  {
    right: { podsMade: 3, generation: 3, runs: 2 },
  },
  async (begin, undo) => {
    const own = undo.use(await openWorld({ places: ["restored"], services: [] }));
    const { stack } = own;
    const before = await stack.start("all-in-one");
    const place = own.place("restored");
    const { namespace, world } = place;
    const key = (kind: string, name: string) => recordKey("test", { kind, namespace, name });
    const records = [
      ["workloads", key("Deployment", "web")],
      ["workloads", key("CronJob", "sync")],
      ["sources", key("ConfigMap", "cfg")],
    ] as const;
    const read = (bucket: string, record: string) =>
      world.nats.jsm.streams.getMessage(`KV_${bucket}`, {
        last_by_subj: `$KV.${bucket}.${record}`,
      });
    await place.source();
    await place.deploy("web");
    await place.api.create(pathOf("batch/v1", namespace, "cronjobs"), cronJob(namespace, "sync"));
    await place.adopted("sync", "CronJob");
    const isRolled = async (skip: { web: number; sync: number }) => {
      await place.firstOf("web", ["succeeded"], { skip: skip.web });
      await place.firstOf("sync", ["succeeded"], { skip: skip.sync });
      await place.adopted("web");
      await place.adopted("sync", "CronJob");
    };
    await place.change();
    await isRolled({ web: 0, sync: 0 });
    const backup = await Promise.all(
      records.map(
        async ([bucket, record]) => (await read(bucket, record))?.data ?? new Uint8Array(),
      ),
    );
    const skip = { web: place.events("web").length, sync: place.events("sync").length };
    await place.change();
    await isRolled(skip);
    const { running } = (await place.record("web")) ?? {};
    await before.kill();
    for (const [i, [bucket, record]] of records.entries()) {
      await world.nats.js.publish(`$KV.${bucket}.${record}`, backup[i] ?? new Uint8Array());
    }
    await stack.start("watcher");
    const isRead = async () => {
      const [, , [bucket, record]] = records;
      const present = (await read(bucket, record))?.string();
      return present !== Buffer.from(backup[2] ?? []).toString("utf8");
    };
    await waitFor(isRead, { message: "the source to be compared" });
    await stack.start("restarter");
    begin();
    const isCurrent = async (name: string, kind: string) => {
      const record = await place.record(name, kind);
      const same = JSON.stringify(record?.running) === JSON.stringify(running);
      return same && record?.phase === "current" && record.outbox.length === 0;
    };
    for (const [name, kind] of [
      ["web", "Deployment"],
      ["sync", "CronJob"],
    ] as const) {
      await waitFor(() => isCurrent(name, kind), { message: `${kind} ${name} to be current` });
    }
    await waitRolledOut(place.api, namespace, "web");
    const jobs = await place.api.get<{ items: unknown[] }>(pathOf("batch/v1", namespace, "jobs"));
    return {
      podsMade: await place.podsMade("web"),
      generation: await place.generation("web"),
      runs: jobs.items.length,
    };
  },
);

/** The restarter's watch of records: those that are there, and each write after them. */
function isWatchOfRecords({ subject }: { readonly subject: string }) {
  return subject.includes("CONSUMER.CREATE.KV_workloads");
}

/**
 * Records are followed by a watch, which stands again some time after the connection: what is
 * written in between must be read when it does.
 */
outcomeTest(
  "a rollout that begins just after an outage of NATS is followed to its end (defect 33)",
  {
    right: { events: ["planned", "started", "succeeded Complete"] },
  },
  async (_begin, undo) => {
    const own = undo.use(
      await openWorld({
        places: ["outage"],
        services: [],
        config: () => ({ queues: [{ name: "default", window: "2s" }] }),
      }),
    );
    const { stack } = own;
    const proxy = undo.use(await startNatsProxy(stack.nats.port));
    await stack.start("all-in-one", { env: { ROLLCAST_NATS_URL: proxy.url } });
    const place = own.place("outage");
    await place.source();
    // Slower than what the restarter does as soon as it sees its own patch.
    await place.deploy("web", { spec: { minReadySeconds: 2 } });
    await place.change();
    await place.planned("cfg");
    const watch = proxy.hold(isWatchOfRecords);
    proxy.cut();
    // The watch is opened again.
    await watch.reached;
    await place.firstOf("web", ["started"]);
    await waitRolledOut(place.api, place.namespace, "web");
    // The outage is over.
    watch.release();
    await place.firstOf("web", ["succeeded"], { withinMs: 6_000 });
    return { events: place.events("web") };
  },
);
