import { startCluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import { createNamespace } from "@rollcast/testkit/objects";
import { median, percentile } from "../../report/stats.ts";
import { sizeOf } from "../../lab/scenario.ts";
import type { Measurement, Scenario } from "../../lab/scenario.ts";
import { changeTimes } from "./change-times.ts";
import { createSecrets, syncSeconds } from "./secrets.ts";
import { startWatcher } from "./start-watcher.ts";

/** Over those that came; how many did not is a measurement of its own. */
function spreadOf(name: string, times: readonly number[]): Measurement[] {
  const came = times.filter((ms) => !Number.isNaN(ms));
  return [
    { name: `${name}, p50`, unit: "ms", value: median(came) },
    { name: `${name}, p99`, unit: "ms", value: percentile(came, 0.99) },
  ];
}

export const publish: Scenario = {
  name: "publish",
  about: "one change of a Secret after the other, up to its event in the stream",
  services: ["watcher"],
  sizes: { sources: 1_000, changes: 1_000 },
  async measure(subject, sizes) {
    const sources = sizeOf(sizes, "sources");
    await using cluster = await startCluster({ controllers: false });
    await using nats = await startNats();
    const { name: namespace } = await createNamespace(cluster.api, "bench");
    await createSecrets(cluster, namespace, 0, sources);
    await using service = await startWatcher(subject, { cluster, nats, namespace });
    await syncSeconds({ service, namespace });
    const changes = sizeOf(sizes, "changes");
    const given = { namespace, sources, changes };
    const { written, watched, published } = await changeTimes(cluster, nats, given);
    const between = published.map((ms, i) => ms - (watched[i] ?? Number.NaN));
    return [
      ...spreadOf("write answered", written),
      ...spreadOf("write to the API server's own watch", watched),
      ...spreadOf("write to stored event", published),
      ...spreadOf("watch to stored event", between),
      { name: "events that did not come", unit: "", value: published.filter(Number.isNaN).length },
    ];
  },
};
