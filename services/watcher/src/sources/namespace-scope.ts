import { LIST_LIMITS, listInto } from "@rollcast/kube/list";
import type { ObservedNamespace } from "@rollcast/kube/namespaces";
import type { Context } from "../context.ts";
import { SOURCE_TYPES, isDataUnit, kindsOf, narrowResource } from "../model/scope.ts";
import type { Unit } from "../model/scope.ts";
import { keysOf } from "./list-pass.ts";
import { sourceHandler } from "./reflect-unit.ts";

/** A part of the watcher that follows objects of its own per namespace. */
export type NamespaceFollower = {
  /** Lists a namespace that comes into scope. */
  enter(entering: Context, namespace: string): Promise<void>;
  /** Forgets a namespace that leaves the scope. */
  leave(namespace: string): Promise<void>;
};

/**
 * A namespace observed within this time after its creation has been in scope from its beginning.
 */
const FRESH_MS = 60_000;

function unitsIn({ config }: Context, namespace: string): Unit[] {
  return kindsOf(config.scope).map((kind) => ({ kind, namespace }));
}

/**
 * Adds a namespace to the scope: records what is in it; its changes wait until that is done.
 * Existing sources are adopted; in a namespace that has just been created every source is new.
 */
export async function enterNamespace(
  context: Context,
  csi: NamespaceFollower | undefined,
  { name, createdAt }: ObservedNamespace,
): Promise<void> {
  const { client, config, coverage, logger, signal } = context;
  const entering: Context = {
    ...context,
    scope: { ...context.scope, reads: () => true, whenInScope: () => true },
  };
  const units = unitsIn(context, name);
  if (Date.now() - createdAt < FRESH_MS) await coverage.add(units, createdAt);
  for (const unit of units) {
    if (!isDataUnit(unit)) {
      await csi?.enter(entering, name);
      continue;
    }
    const type = SOURCE_TYPES[unit.kind];
    await listInto(sourceHandler(entering, unit), {
      client,
      resource: narrowResource(type.resource, config.scope, { namespace: name, byLabels: true }),
      transform: (object) => type.transform(context, object),
      limits: LIST_LIMITS,
      signal,
    });
  }
  logger.info({ namespace: name }, "namespace entered the scope");
}

/** Forgets a namespace that left the scope; publishes nothing. */
export async function leaveNamespace(
  context: Context,
  csi: NamespaceFollower | undefined,
  name: string,
): Promise<void> {
  const units = unitsIn(context, name);
  for (const unit of units) {
    for (const key of keysOf(context, unit)) await context.recorder.forget(key);
  }
  await csi?.leave(name);
  await context.pool.drain();
  await context.coverage.remove(units);
  context.logger.info({ namespace: name }, "namespace left the scope");
}

/**
 * Removes the records of sources that left the scope. If they come back, they start with a first
 * sync.
 */
export async function removeOutOfScope({ cache, scope, recorder, pool, logger }: Context) {
  const outOfScope = [...cache.list()]
    .map(({ key }) => key)
    .filter((key) => !scope.includesKey(key));
  if (outOfScope.length === 0) return;
  logger.info({ records: outOfScope.length }, "removing records out of scope");
  for (const key of outOfScope) await recorder.forget(key);
  await pool.drain();
}
