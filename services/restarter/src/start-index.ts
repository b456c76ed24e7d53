import { watchNamespaceLabels } from "@rollcast/kube/namespace-labels";
import type { HealthSources } from "@rollcast/runtime/health/service-health";
import type { Created, RestarterHost } from "./create-context.ts";
import { createSourceFaultReporter } from "./events/annotation-faults.ts";
import { watchKinds } from "./index/kinds.ts";
import type { WatchedKinds } from "./index/kinds.ts";
import { feedSourceNames } from "./index/workload-index.ts";
import { needsNamespaceLabels } from "./model/queue-assignment.ts";

export type StartedIndex = {
  /** How it is, from the beginning. */
  readonly health: HealthSources;
  /** Resolves when all workloads and names of sources that exist are in. */
  readonly filled: Promise<WatchedKinds>;
};

/** Begins to fill the index with workloads and names of sources. */
export function startIndex(host: RestarterHost, created: Created): StartedIndex {
  const { config, kube, logger, metrics, signal, stack } = host;
  const { ctx, control, watchable, served } = created;
  const { cluster, index, names, project, rules, sources } = ctx;
  const onAnnotated = createSourceFaultReporter(ctx);
  let labels: ReturnType<typeof watchNamespaceLabels> | undefined;
  let kinds: WatchedKinds | undefined;
  const fill = async () => {
    await feedSourceNames(names, { sources, cluster, signal, onAnnotated });
    if (needsNamespaceLabels(config)) {
      const { relabel: onLabels } = control.assigner;
      labels = stack.use(watchNamespaceLabels({ client: kube, logger, signal, onLabels }));
      await labels.synced;
    }
    const { namespaces } = config.scope;
    const options = { client: kube, index, rules, project, logger, signal, namespaces, served };
    kinds = watchKinds({ ...options, metrics, stack }, watchable);
    await kinds.stateKnown;
    return kinds;
  };
  return {
    health: {
      namespaces: { ready: () => labels?.fault() },
      watch: { notes: () => kinds?.notes() ?? [] },
    },
    filled: fill(),
  };
}
