import { mayList } from "@rollcast/kube/discovery";
import type { KubeClient } from "@rollcast/kube/client";
import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector } from "@rollcast/kube/reflector";
import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import type { Logger } from "@rollcast/runtime/logger";
import type { Rules } from "../model/rules.ts";
import { projectWorkload } from "./project-workload.ts";
import type { Workload } from "../model/workload.ts";
import type { WorkloadIndex } from "./workload-index.ts";

export type NamespaceWatchOptions = {
  client: KubeClient;
  index: WorkloadIndex;
  rules: Rules;
  logger: Logger;
  signal: AbortSignal;
};

/** One kind in one namespace, or in all. `forbidden`: listing it is forbidden. */
export type NamespaceWatch = AsyncDisposable & {
  state(): "starting" | "watching" | "forbidden";
  readonly reflector: Reflector | undefined;
  /**
   * Starts what can start and stops what the API server no longer serves or allows; called
   * repeatedly.
   */
  check(): Promise<void>;
};

/** For kinds with many short-lived objects, keeps out of the index what can never roll. */
function keptBy(
  kind: WorkloadKind,
  handler: ReflectorHandler<Workload>,
): ReflectorHandler<Workload> {
  if (kind.transient !== true) return handler;
  return {
    ...handler,
    upsert: (workload, origin) =>
      workload.mayRoll || workload.madeBy !== undefined
        ? handler.upsert(workload, origin)
        : handler.removed(workload),
  };
}

/**
 * Follows a kind while it may be listed. Its workloads stay in the index until the kind is no
 * longer served or the unit is disposed.
 */
export function createNamespaceWatch(
  options: NamespaceWatchOptions,
  kind: WorkloadKind,
  namespace: string | undefined,
): NamespaceWatch {
  const { client, index, rules, logger, signal } = options;
  const { group, version, plural } = kind;
  const resource = { group, version, plural, namespace };
  const what = { resource: plural, group, namespace };
  const handler = keptBy(kind, index.handler());
  let reflector: Reflector | undefined;
  let forbidden = false;
  let synced = false;

  const start = () => {
    const started = startReflector({
      client,
      resource,
      transform: (object) => projectWorkload(kind, object, rules),
      handler,
      logger,
      signal,
    });
    reflector = started;
    started.synced.then(
      () => {
        synced = true;
      },
      () => undefined,
    );
  };
  const stop = async () => {
    await reflector?.[Symbol.asyncDispose]();
    reflector = undefined;
    synced = false;
  };
  const forbid = (refused: boolean) => {
    if (refused && !forbidden) {
      logger.error(what, "no permission to list, kind not followed until granted");
    } else if (!refused && forbidden) logger.info(what, "permission to list granted");
    forbidden = refused;
  };
  return {
    state: () => (forbidden ? "forbidden" : synced ? "watching" : "starting"),
    get reflector() {
      return reflector;
    },
    async check() {
      const fault = reflector?.fault();
      if (fault?.startsWith("403 ") === true || fault?.startsWith("404 ") === true) await stop();
      if (reflector !== undefined) return;
      forbid(!(await mayList(client, resource, signal)));
      if (!forbidden) start();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      // Like an empty list: none of its objects exist any more.
      await handler.listStarted?.();
      await handler.listed({ resourceVersion: "0" });
    },
  };
}
