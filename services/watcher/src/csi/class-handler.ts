import type { ReflectorHandler } from "@rollcast/kube/reflector";
import { compareGone } from "../model/compare.ts";
import type { Gone } from "../model/observation.ts";
import type { WatcherContext } from "../context.ts";
import type { ProviderClass } from "./csi-transform.ts";
import { startListPass } from "../sources/list-pass.ts";
import type { ListPass } from "../sources/list-pass.ts";
import type { Unit } from "../model/scope.ts";
import type { CsiState } from "./csi-state.ts";
import { classKey } from "./csi-state.ts";

function sameAnnotations(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** Follows the classes themselves: that they exist, and their annotations. */
export function classHandler(
  context: WatcherContext,
  unit: Unit,
  { classes, revived }: CsiState,
): ReflectorHandler<ProviderClass> {
  const { known, pool, outbox, scope, recorder } = context;
  const { cluster } = context.config;
  let pass: ListPass | undefined;

  const gone = async (key: string, what: Gone, restored: boolean) => {
    classes.delete(key);
    await pool.run(key, () =>
      outbox.apply(key, (record) => compareGone(record, what, { now: Date.now(), restored })),
    );
  };
  return {
    listStarted() {
      pass = startListPass(context, unit);
    },
    listing({ resourceVersion }) {
      pass?.begun(resourceVersion);
    },
    async upsert(seen) {
      if (!(await scope.admits(seen.namespace))) return;
      const key = classKey(cluster, seen.namespace, seen.name);
      pass?.missing.delete(key);
      const before = classes.get(key);
      classes.set(key, seen);
      const entry = known.get(key);
      if (entry === undefined) return;
      if (entry.deletedAt !== undefined) revived();
      if (before !== undefined && sameAnnotations(before.annotations, seen.annotations)) return;
      await recorder.amend(key, (record) =>
        sameAnnotations(record.annotations, seen.annotations)
          ? undefined
          : { ...record, annotations: { ...seen.annotations } },
      );
    },
    async removed(seen) {
      if (!(await scope.admits(seen.namespace))) return;
      const { uid, resourceVersion } = seen;
      await gone(classKey(cluster, seen.namespace, seen.name), { uid, resourceVersion }, false);
    },
    async listed({ resourceVersion }) {
      const restored = pass?.restored() === true;
      for (const key of pass?.missing ?? []) {
        if (known.get(key)?.deletedAt !== undefined && !restored) continue;
        await gone(key, { resourceVersion }, restored);
      }
      pass = undefined;
    },
  };
}
