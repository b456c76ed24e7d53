import type { ReflectedResource } from "@rollcast/kube/resource";
import type { KubeObject } from "@rollcast/kube/object";
import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector } from "@rollcast/kube/reflector";
import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { WatcherContext } from "../context.ts";
import { podStatusHandler } from "./pod-status-handler.ts";
import { classHandler } from "./class-handler.ts";
import type { CsiState } from "./csi-state.ts";
import { transformClass, transformPodStatus } from "./csi-transform.ts";
import type { PodStatus } from "./csi-transform.ts";
import { narrowResource } from "../model/scope.ts";
import { countReflectorEvent } from "../metrics.ts";
import type { Unit } from "../model/scope.ts";

const GROUP = { group: "secrets-store.csi.x-k8s.io", version: "v1" };
const CLASSES = { ...GROUP, plural: "secretproviderclasses", metadataOnly: true };
const STATUSES = { ...GROUP, plural: "secretproviderclasspodstatuses" };

/** The driver's resources in one or all namespaces, narrowed by the scope. */
export function csiResources({ config }: WatcherContext, namespace: string | undefined) {
  const options = { namespace, byLabels: false };
  return {
    classes: narrowResource(CLASSES, config.scope, options),
    statuses: narrowResource(STATUSES, config.scope, options),
  };
}

/** Transforms pod statuses of the namespaces in scope. */
export function podTransform({ scope, key }: WatcherContext) {
  return (object: KubeObject): PodStatus | undefined =>
    scope.reads(object.metadata.namespace ?? "") ? transformPodStatus(key, object) : undefined;
}

export function classTransform({ annotations }: WatcherContext) {
  return (object: KubeObject) => transformClass(object, annotations);
}

/**
 * Reflects the classes of a unit and, once they are synced, the statuses of the pods that mount
 * them.
 */
export function reflectCsiUnit(
  context: WatcherContext,
  unit: Unit,
  state: CsiState,
  signal: AbortSignal,
): Reflector {
  const { client, logger, metrics, times } = context;
  const { classes, statuses } = csiResources(context, unit.namespace);
  const start = <T>(
    resource: ReflectedResource,
    transform: (object: KubeObject) => T,
    handler: ReflectorHandler<T>,
  ) =>
    startReflector({
      client,
      logger,
      resource,
      transform,
      handler,
      signal,
      times,
      observe: (event) => countReflectorEvent(metrics, resource.plural, event),
    });
  const first = start(classes, classTransform(context), classHandler(context, unit, state));
  return inTurn(first, () =>
    start(statuses, podTransform(context), podStatusHandler(context, unit, state)),
  );
}

/**
 * Combines two reflectors: the second starts when the first has synced, and is the one to relist.
 */
function inTurn(first: Reflector, start: () => Reflector): Reflector {
  let second: Reflector | undefined;
  const synced = first.synced.then(() => {
    second = start();
    return second.synced;
  });
  synced.catch(() => undefined);
  return {
    synced,
    staleness: () => Math.max(first.staleness(), second?.staleness() ?? 0),
    fault: () => first.fault() ?? (second === undefined ? "not synced" : second.fault()),
    relist: (message) => second?.relist(message),
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second?.[Symbol.asyncDispose]();
    },
  };
}
