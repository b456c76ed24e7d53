import { startCluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import { createNamespace } from "@rollcast/testkit/objects";
import { usageOf } from "../../lab/usage.ts";
import { median } from "../../report/stats.ts";
import { sizeOf } from "../../lab/scenario.ts";
import type { Scenario } from "../../lab/scenario.ts";
import { createSecrets, listRate, steadyMemory, syncSeconds } from "./secrets.ts";
import { startWatcher } from "./start-watcher.ts";

const MIB = 1_048_576;

export const sync: Scenario = {
  name: "sync",
  about: "the watcher starts in a cluster full of Secrets, first cold, then warm",
  services: ["watcher"],
  sizes: { sources: 10_000 },
  async measure(subject, sizes) {
    const sources = sizeOf(sizes, "sources");
    await using cluster = await startCluster({ controllers: false });
    await using nats = await startNats();
    const { name: namespace } = await createNamespace(cluster.api, "bench");
    await createSecrets(cluster, namespace, 0, sources);
    const rates = [await listRate(cluster), await listRate(cluster), await listRate(cluster)];
    const cold = async () => {
      await using service = await startWatcher(subject, { cluster, nats, namespace });
      const seconds = await syncSeconds({ service, namespace });
      const { peakMiB } = usageOf(service.pid);
      return { seconds, peakMiB, steady: await steadyMemory({ service, namespace }) };
    };
    const warm = async () => {
      await using service = await startWatcher(subject, { cluster, nats, namespace });
      return await syncSeconds({ service, namespace });
    };
    const first = await cold();
    return [
      { name: "raw list", unit: "1/s", value: median(rates) },
      { name: "cold sync", unit: "s", value: first.seconds },
      { name: "warm sync", unit: "s", value: await warm() },
      { name: "memory after the cold sync, peak", unit: "MiB", value: first.peakMiB },
      { name: "memory after the cold sync, resident", unit: "MiB", value: first.steady.rss / MIB },
      { name: "its heap and buffers", unit: "MiB", value: first.steady.heap / MIB },
    ];
  },
};
