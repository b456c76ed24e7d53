import type { PatchOperation } from "@rollcast/kube/patch";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { ABSENT, splitSourceKey } from "../model/content.ts";
import type { Content, SourceKey } from "../model/content.ts";
import { variableName } from "../model/reloader-marks.ts";
import type { Rules } from "../model/rules.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";

/** A workload, and the rollout that its template is to get. */
export type Patched = {
  readonly kind: WorkloadKind;
  readonly workload: Workload;
  readonly record: WorkloadRecord & { readonly rollout: Rollout };
  readonly rules: Pick<Rules, "strategy">;
};

/** A variable to write: its container and value. */
type Variable = { readonly container: number; readonly name: string; readonly value: string };

function targetOf({ workload }: Patched, key: SourceKey): number {
  const { kind, name } = splitSourceKey(key);
  return workload.marks.targets[`${kind}/${name}`] ?? 0;
}

/** A variable for each changed source; the others keep theirs. */
function variables(patched: Patched): Variable[] {
  const { record } = patched;
  const wanted = Object.entries(record.rollout.wanted) as [SourceKey, Content][];
  return wanted
    .filter(([key, { digest }]) => digest !== ABSENT && digest !== record.running[key]?.digest)
    .map(([key, { digest }]) => {
      const { kind, name } = splitSourceKey(key);
      return { container: targetOf(patched, key), name: variableName(kind, name), value: digest };
    });
}

/** Which of our variables still have a source, as `<container>/<name>`. */
function alive(patched: Patched): Set<string> {
  const wanted = Object.entries(patched.record.rollout.wanted) as [SourceKey, Content][];
  return new Set(
    wanted
      .filter(([, { digest }]) => digest !== ABSENT)
      .map(([key]) => {
        const { kind, name } = splitSourceKey(key);
        return `${targetOf(patched, key)}/${variableName(kind, name)}`;
      }),
  );
}

/**
 * Writes and removes variables. The order keeps indices valid: replacements, additions at the end,
 * then removals from the last one backwards.
 */
export function variableOperations(patched: Patched): PatchOperation[] {
  const { kind, workload, rules } = patched;
  const writing = rules.strategy === "reloader-env-vars";
  const written = writing ? variables(patched) : [];
  const kept = writing ? alive(patched) : new Set<string>();
  return workload.marks.containers.flatMap((container, at) => {
    const env = `${kind.templatePath}/spec/containers/${at}/env`;
    const replaced: PatchOperation[] = [];
    const added: PatchOperation[] = [];
    for (const { name, value } of written.filter((variable) => variable.container === at)) {
      const there = container.variables.find((variable) => variable.name === name);
      if (there !== undefined) {
        replaced.push({ op: "replace", path: `${env}/${there.index}`, value: { name, value } });
      } else added.push({ op: "add", path: `${env}/-`, value: { name, value } });
    }
    if (added.length > 0 && !container.hasEnv) added.unshift({ op: "add", path: env, value: [] });
    const removed = container.variables
      .filter(({ name, ours }) => !kept.has(`${at}/${name}`) && (ours || !writing))
      .toReversed()
      .map(({ index }): PatchOperation => ({ op: "remove", path: `${env}/${index}` }));
    return [...replaced, ...added, ...removed];
  });
}

/**
 * Reloader's annotation in its own form: the source that caused the rollout, our digest as its
 * hash, and when the source changed (Unix seconds), so that writing it again changes nothing.
 */
export function lastReloadedFrom({ workload, record }: Patched): string | undefined {
  const { cause, wanted, changedAt, decidedAt } = record.rollout;
  if (cause === undefined) return undefined;
  const { kind, namespace, name } = cause;
  const hash = wanted[`${kind}/${namespace}/${name}`]?.digest ?? "";
  const container = workload.marks.containers[workload.marks.targets[`${kind}/${name}`] ?? 0];
  return JSON.stringify({
    type: kind.toUpperCase(),
    name,
    namespace,
    hash: hash === ABSENT ? "" : hash,
    containerRefs: container === undefined ? [] : [container.name],
    observedAt: Math.floor((changedAt ?? decidedAt) / 1_000),
  });
}
