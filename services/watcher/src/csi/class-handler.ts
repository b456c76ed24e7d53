import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { WatcherContext } from "../context.ts";
import { compareDeleted, sameEntries } from "../model/compare.ts";
import type { Unit } from "../model/scope.ts";
import type { DeletedSource } from "../model/transform.ts";
import { startListPass } from "../sources/list-pass.ts";
import type { ListPass } from "../sources/list-pass.ts";
import { classKey } from "./csi-transform.ts";
import type { ProviderClass } from "./csi-transform.ts";
import type { CsiState } from "./observed-pods.ts";

/** Handles SecretProviderClasses: their existence and their annotations. */
export function classHandler(
  context: WatcherContext,
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
