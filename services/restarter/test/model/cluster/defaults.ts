import { dig } from "@rollcast/kube/object";
import type { Draft, Fields } from "./object.ts";

/** The given value, with what it lacks of the defaults; fields of objects are filled in too. */
function fill(given: unknown, defaults: Fields): Fields {
  const fields = (given ?? {}) as Fields;
  const filled: Record<string, unknown> = { ...fields };
  for (const [name, value] of Object.entries(defaults)) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isObject) filled[name] = fill(filled[name], value as Fields);
    else filled[name] ??= value;
  }
  return filled;
}

const pods = (restartPolicy: string): Fields => ({
  spec: { restartPolicy, terminationGracePeriodSeconds: 30 },
});

const JOB: Fields = {
  backoffLimit: 6,
  completions: 1,
  parallelism: 1,
  suspend: false,
  template: pods("Never"),
};

function ofDeployment({ spec }: Draft): Fields {
  const rolling = dig(spec, "strategy", "type") !== "Recreate";
  return {
    replicas: 1,
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    strategy: rolling
      ? { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } }
      : { type: "Recreate" },
    template: pods("Always"),
  };
}

function ofStatefulSet({ spec }: Draft): Fields {
  const onDelete = dig(spec, "updateStrategy", "type") === "OnDelete";
  return {
    replicas: 1,
    podManagementPolicy: "OrderedReady",
    revisionHistoryLimit: 10,
    updateStrategy: onDelete
      ? { type: "OnDelete" }
      : { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
    template: pods("Always"),
  };
}

function ofDaemonSet({ spec }: Draft): Fields {
  const onDelete = dig(spec, "updateStrategy", "type") === "OnDelete";
  return {
    revisionHistoryLimit: 10,
    updateStrategy: onDelete
      ? { type: "OnDelete" }
      : { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
    template: pods("Always"),
  };
}

const DEFAULTS: Readonly<Record<string, (object: Draft) => Fields>> = {
  Deployment: ofDeployment,
  StatefulSet: ofStatefulSet,
  DaemonSet: ofDaemonSet,
  ReplicaSet: () => ({ replicas: 1, template: pods("Always") }),
  Job: () => JOB,
  CronJob: () => ({
    concurrencyPolicy: "Allow",
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
    jobTemplate: { spec: { template: pods("Never") } },
  }),
  Pod: () => ({ terminationGracePeriodSeconds: 30 }),
};

const EMPTY_IS_MISSING = new Set(["annotations", "labels", "finalizers", "ownerReferences"]);
const TEMPLATES = new Set(["spec", "jobTemplate", "template", "metadata"]);

/** Without empty maps and lists, which a built-in kind does not keep. */
function pruned(fields: Fields): Fields {
  const changes = Object.entries(fields).flatMap(([name, value]): [string, unknown][] => {
    if (typeof value !== "object" || value === null) return [];
    if (EMPTY_IS_MISSING.has(name))
      return Object.keys(value).length === 0 ? [[name, undefined]] : [];
    if (!TEMPLATES.has(name)) return [];
    const inner = pruned(value as Fields);
    return inner === value ? [] : [[name, inner]];
  });
  if (changes.length === 0) return fields;
  const next = { ...fields, ...Object.fromEntries(changes) };
  return Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined));
}

/** The object as the API server stores it: with its defaults, and without what it does not keep. */
export function withDefaults<T extends Draft>(object: T): T {
  if (object.kind === "Rollout" || object.kind === "CloneSet") return object;
  const defaults = DEFAULTS[object.kind];
  const filled =
    defaults === undefined ? object : { ...object, spec: fill(object.spec, defaults(object)) };
  return pruned(filled) as T;
}
