import { eventOutcome } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";

/**
 * Commands are built only from valid Kubernetes names, so that pasting one into a shell does
 * nothing else.
 */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

type Status = (name: string, namespace: string) => string;

const kubectl =
  (resource: string): Status =>
  (name, namespace) =>
    `kubectl -n ${namespace} rollout status ${resource}/${name}`;

/** The status command of each kind; `kubectl rollout status` knows only three of them. */
const STATUS: ReadonlyMap<string, Status> = new Map([
  ["Deployment", kubectl("deployment")],
  ["StatefulSet", kubectl("statefulset")],
  ["DaemonSet", kubectl("daemonset")],
  ["CronJob", (name, namespace) => `kubectl -n ${namespace} describe cronjob/${name}`],
  ["Job", (name, namespace) => `kubectl -n ${namespace} describe job/${name}`],
  ["Rollout", (name, namespace) => `kubectl argo rollouts status ${name} -n ${namespace}`],
  ["DeploymentConfig", (name, namespace) => `oc -n ${namespace} rollout status dc/${name}`],
]);

/** Outcomes after which to look at the pods, and outcomes that only Rollcast can explain. */
const NEEDS_STATUS = new Set(["failed", "stalled", "started"]);
const NEEDS_EXPLAIN = new Set(["failed", "stalled", "throttled", "deferred", "skipped"]);

/**
 * The commands to run next for one rollout, e.g. `kubectl -n shop rollout status deployment/web`;
 * none when all is well.
 */
export function nextCommands(event: RolloutEvent): string[] {
  const { kind, namespace, name } = event.data.workload;
  const { outcome } = eventOutcome(event.type);
  const status = STATUS.get(kind);
  if (status === undefined || !NAME.test(namespace) || !NAME.test(name)) return [];
  return [
    ...(NEEDS_STATUS.has(outcome) ? [status(name, namespace)] : []),
    ...(NEEDS_EXPLAIN.has(outcome)
      ? [`rollcast explain ${kind.toLowerCase()}/${name} -n ${namespace}`]
      : []),
  ];
}
