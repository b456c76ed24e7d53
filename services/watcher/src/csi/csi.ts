import { setTimeout as sleep } from "node:timers/promises";
import { retry } from "@rollcast/async/retry";
import { KubeError } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import { LIST_LIMITS, listInto } from "@rollcast/kube/list";
import type { KubeObject } from "@rollcast/kube/object";
import { faultOf } from "@rollcast/kube/recovery";
import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector } from "@rollcast/kube/reflector";
import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { ReflectedResource } from "@rollcast/kube/resource";
import { isAborted } from "@rollcast/shared/errors";
import type { Context } from "../context.ts";
import { countReflectorEvent } from "../metrics.ts";
import { narrowResource } from "../model/scope.ts";
import type { Unit } from "../model/scope.ts";
import type { NamespaceFollower } from "../sources/namespace-scope.ts";
import { CLASS_KIND, classKey, transformClass, transformPodStatus } from "./csi-transform.ts";
import type { PodStatus, ProviderClass } from "./csi-transform.ts";
import { openObservedPods, podStatusHandler } from "./observed-pods.ts";
import type { CsiState } from "./observed-pods.ts";
import { compareDeleted, sameEntries } from "../model/compare.ts";
import type { DeletedSource } from "../model/transform.ts";
import { startListPass } from "../sources/list-pass.ts";
import type { ListPass } from "../sources/list-pass.ts";

const GROUP = { group: "secrets-store.csi.x-k8s.io", version: "v1" };
const CLASSES = { ...GROUP, plural: "secretproviderclasses", metadataOnly: true };
const STATUSES = { ...GROUP, plural: "secretproviderclasspodstatuses" };
const SERVED_PATH = `/apis/${GROUP.group}/${GROUP.version}`;
/** How often to check whether the driver has been installed. */
const POLL_INTERVAL_MS = 60_000;
const RETRY = { initial: 1_000, max: 1_000 };
const LATER = { initial: 1_000, max: 60_000 };

/** The part of the watcher that follows the Secrets Store CSI driver once it is installed. */
export type Csi = AsyncDisposable &
  NamespaceFollower & {
    /** All reflectors combined into one; healthy while the driver is not installed. */
    readonly reflector: Pick<Reflector, "fault" | "staleness">;
  };

async function isServed(client: KubeClient, signal: AbortSignal): Promise<boolean> {
  try {
    await client.request({ method: "GET", path: SERVED_PATH, signal });
    return true;
  } catch (err) {
    if (err instanceof KubeError && err.status === 404) return false;
    throw err;
  }
}

/** The driver's resources in one or all namespaces, narrowed by the scope. */
function csiResources({ config }: Context, namespace: string | undefined) {
  const options = { namespace, byLabels: false };
  return {
    classes: narrowResource(CLASSES, config.scope, options),
    statuses: narrowResource(STATUSES, config.scope, options),
  };
}

/** Transforms pod statuses of the namespaces in scope. */
function podTransform({ scope, key }: Context) {
  return (object: KubeObject): PodStatus | undefined =>
    scope.reads(object.metadata.namespace ?? "") ? transformPodStatus(key, object) : undefined;
}

function classTransform({ annotations }: Context) {
  return (object: KubeObject) => transformClass(object, annotations);
}

/**
 * Reflects the classes of a unit and, once they are synced, the statuses of the pods that mount
 * them.
 */
function reflectCsiUnit(
  context: Context,
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

/** Opens the observed pods and starts to follow the driver as soon as its resources are served. */
export async function startCsi(context: Context, intake: AbortSignal): Promise<Csi> {
  const { nats, client, logger, config, key, scope, signal } = context;
  const { cluster } = config;
  const pods = await openObservedPods({ nats, logger, signal, keyId: key.id, cluster });
  const reflectors: Reflector[] = [];
  const state: CsiState = {
    classes: new Map(),
    pods,
    revived() {
      for (const reflector of reflectors) reflector.relist("a class came back");
    },
  };
  let fault: string | undefined = "not looked for yet";
  let served = false;

  const follow = async () => {
    const onFailure = (err: unknown) => {
      fault = faultOf(err);
      logger.warn({ err }, "cannot check whether the secrets store CSI driver is installed");
    };
    const check = () =>
      retry(() => isServed(client, intake), { backoff: RETRY, signal: intake, onFailure });
    while (!(await check())) {
      if (fault !== undefined) logger.info("no secrets store CSI driver is installed");
      fault = undefined;
      await sleep(POLL_INTERVAL_MS, undefined, { signal: intake });
    }
    served = true;
    fault = undefined;
    const units = scope.units.filter(({ kind }) => kind === CLASS_KIND);
    for (const unit of units) reflectors.push(reflectCsiUnit(context, unit, state, intake));
  };
  const following = follow().catch((err: unknown) => {
    if (!isAborted(err)) logger.error({ err }, "cannot follow the secrets store CSI driver");
  });
  /** Lists what a namespace that comes into scope has. */
  const list = async (entering: Context, namespace: string) => {
    const unit = { kind: CLASS_KIND, namespace } as const;
    const { classes, statuses } = csiResources(context, namespace);
    const common = { client, limits: LIST_LIMITS, signal };
    const classList = { ...common, resource: classes, transform: classTransform(context) };
    await listInto(classHandler(entering, unit, state), classList);
    const statusList = { ...common, resource: statuses, transform: podTransform(entering) };
    await listInto(podStatusHandler(entering, unit, state), statusList);
  };
  /** The same in the background, until it is done, the namespace has left or the driver is gone. */
  const listLater = (entering: Context, namespace: string) => {
    const work = async () => {
      if (await scope.whenInScope(namespace)) await list(entering, namespace);
    };
    const onFailure = (err: unknown) => {
      if (err instanceof KubeError && err.status === 404) throw err;
    };
    retry(work, { backoff: LATER, signal: intake, onFailure }).catch(() => undefined);
  };
  return {
    reflector: {
      staleness: () => Math.max(0, ...reflectors.map((reflector) => reflector.staleness())),
      fault() {
        const first = reflectors.map((reflector) => reflector.fault()).find((reason) => reason);
        // The driver was uninstalled, so there is nothing to consume until it is installed again.
        return first?.startsWith("404 ") === true ? undefined : (first ?? fault);
      },
    },
    async enter(entering, namespace) {
      if (!served) return;
      try {
        await list(entering, namespace);
      } catch (err) {
        if (!(err instanceof KubeError)) throw err;
        // The driver's API may be broken for days, or be gone: nothing else in the namespace waits.
        logger.warn({ err, namespace }, "secret provider classes not listed, retrying");
        listLater(entering, namespace);
      }
    },
    async leave(namespace) {
      for (const podKey of pods.keys(namespace)) await pods.forget(podKey);
      for (const [classKey, { namespace: inside }] of state.classes) {
        if (inside === namespace) state.classes.delete(classKey);
      }
    },
    async [Symbol.asyncDispose]() {
      await following;
      await Promise.all(reflectors.map((reflector) => reflector[Symbol.asyncDispose]()));
    },
  };
}

/** Handles SecretProviderClasses: their existence and their annotations. */
function classHandler(
  context: Context,
  unit: Unit,
  { classes, revived }: CsiState,
): ReflectorHandler<ProviderClass> {
  const { cache, pool, outbox, scope, recorder } = context;
  const { cluster } = context.config;
  let pass: ListPass | undefined;

  const recordDeleted = async (key: string, what: DeletedSource, restored: boolean) => {
    classes.delete(key);
    await pool.run(key, () =>
      outbox.apply(key, (record) => compareDeleted(record, what, { now: Date.now(), restored })),
    );
  };
  return {
    listStarted() {
      pass = startListPass(context, unit);
    },
    listing({ resourceVersion }) {
      pass?.begun(resourceVersion);
    },
    async upsert(observed) {
      if (!(await scope.whenInScope(observed.namespace))) return;
      const key = classKey(cluster, observed.namespace, observed.name);
      pass?.missing.delete(key);
      const before = classes.get(key);
      classes.set(key, observed);
      const entry = cache.get(key);
      if (entry === undefined) return;
      if (entry.deletedAt !== undefined) revived();
      if (before !== undefined && sameEntries(before.annotations, observed.annotations)) return;
      await recorder.update(key, (record) =>
        sameEntries(record.annotations, observed.annotations)
          ? undefined
          : { ...record, annotations: { ...observed.annotations } },
      );
    },
    async removed(observed) {
      if (!(await scope.whenInScope(observed.namespace))) return;
      const { uid, resourceVersion } = observed;
      await recordDeleted(
        classKey(cluster, observed.namespace, observed.name),
        { uid, resourceVersion },
        false,
      );
    },
    async listed({ resourceVersion }) {
      const restored = pass?.restored() === true;
      for (const key of pass?.missing ?? []) {
        if (cache.get(key)?.deletedAt !== undefined && !restored) continue;
        await recordDeleted(key, { resourceVersion }, restored);
      }
      pass = undefined;
    },
  };
}
