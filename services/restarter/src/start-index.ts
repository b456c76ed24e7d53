import { watchNamespaceLabels } from "@rollcast/kube/namespace-labels";
import type { Created, RestarterHost } from "./create-context.ts";
import { watchAnnotationFaults, watchQueueRejections } from "./events/queue-rejections.ts";
import { watchKinds } from "./index/kinds.ts";
import type { WatchedKinds } from "./index/kinds.ts";
import { watchSourceNames } from "./index/workload-index.ts";
import { needsNamespaceLabels } from "./model/queue-assignment.ts";

/** Fills the index with workloads and names of sources; resolves when all that exist are in. */
export async function startIndex(host: RestarterHost, created: Created): Promise<WatchedKinds> {
  const { config, health, kube, logger, metrics, signal, stack } = host;
  const { ctx, control, watchable, served } = created;
  const { cluster, index, names, rules, sources } = ctx;
  watchAnnotationFaults(ctx);
  watchQueueRejections(ctx, control.assigner.of);
  await watchSourceNames(names, { sources, cluster, signal });
  if (needsNamespaceLabels(config)) {
    const { relabel: onLabels } = control.assigner;
    const labels = stack.use(watchNamespaceLabels({ client: kube, logger, signal, onLabels }));
    health.add({ namespaces: { ready: labels.fault } });
    await labels.synced;
  }
  const { namespaces } = config.scope;
  const options = { client: kube, index, rules, logger, signal, namespaces, served };
  const kinds = watchKinds({ ...options, metrics, stack }, watchable);
  health.add({ watch: { notes: kinds.notes } });
  await kinds.stateKnown;
  return kinds;
}
