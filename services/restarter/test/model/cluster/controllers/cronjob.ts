import { dig, parseTime } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { refOf } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import { isFinished } from "./job.ts";
import {
  conditionOf,
  controllerOf,
  isDeleting,
  omitEmpty,
  ownerReference,
  specNumber,
  statusActs,
  writeStatus,
} from "./parts.ts";
import type { Act } from "./act.ts";

const MINUTE = 60_000;
const by = { manager: "kube-controller-manager" };

type Reference = { readonly uid: string; readonly name: string };

export function activeOf({ status }: KubeObject): readonly Reference[] {
  return Array.isArray(status?.active) ? (status.active as Reference[]) : [];
}

/**
 * Found by the name of their owner alone: those of a CronJob that was deleted and made again too.
 */
function jobsOf(store: ObjectStore, cronJob: KubeObject): KubeObject[] {
  const { namespace, name } = cronJob.metadata;
  return store
    .list("Job", namespace)
    .filter((job) => controllerOf(job)?.name === name)
    .toSorted((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1));
}

/** Jobs that are gone or have ended leave the list of the active ones. */
function statusOf(store: ObjectStore, cronJob: KubeObject): Fields {
  const jobs = jobsOf(store, cronJob);
  const running = new Set(
    jobs.filter((job) => !isFinished(job)).map(({ metadata }) => metadata.uid),
  );
  const times = jobs
    .filter((job) => conditionOf(job, "Complete")?.status === "True")
    .map((job) => String(job.status?.completionTime));
  const last = [...times, cronJob.status?.lastSuccessfulTime as string | undefined]
    .filter((time) => time !== undefined)
    .toSorted()
    .at(-1);
  return omitEmpty({
    ...cronJob.status,
    active: activeOf(cronJob).filter(({ uid }) => running.has(uid)),
    lastSuccessfulTime: last,
  });
}

/** The milliseconds of a schedule every so many minutes; other schedules are never due here. */
function intervalOf({ spec }: KubeObject): number | undefined {
  const match = /^\*(?:\/(\d+))? \* \* \* \*$/.exec(String(spec?.schedule));
  return match === null ? undefined : Number(match[1] ?? 1) * MINUTE;
}

function dueTime(store: ObjectStore, cronJob: KubeObject): number | undefined {
  const every = intervalOf(cronJob);
  if (every === undefined) return undefined;
  const due = Math.floor(store.now() / every) * every;
  const last = cronJob.status?.lastScheduleTime as string | undefined;
  const since = parseTime(last ?? cronJob.metadata.creationTimestamp) ?? 0;
  return due > since ? due : undefined;
}

/** When a CronJob is due next. */
export function dueAfter(cronJob: KubeObject, now: number): number[] {
  const every = intervalOf(cronJob);
  if (every === undefined || cronJob.spec?.suspend === true) return [];
  return [(Math.floor(now / every) + 1) * every];
}

/** A Job of a CronJob, `<name>-<suffix>`. */
export function jobOf(cronJob: KubeObject, suffix: string): Draft {
  const template = cronJob.spec?.jobTemplate as Fields | undefined;
  const { name, namespace } = cronJob.metadata;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: `${name}-${suffix}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: (dig(template, "metadata", "labels") ?? {}) as Record<string, string>,
      annotations: (dig(template, "metadata", "annotations") ?? {}) as Record<string, string>,
      ownerReferences: [ownerReference(cronJob)],
    },
    spec: (template?.spec ?? {}) as Fields,
  };
}

function run(store: ObjectStore, cronJob: KubeObject, due: number): void {
  if (cronJob.spec?.concurrencyPolicy === "Replace") {
    for (const { name } of activeOf(cronJob)) {
      const job = store.get({ ...refOf(cronJob), kind: "Job", name });
      if (job !== undefined) store.remove(refOf(job), { propagation: "Background" });
    }
  }
  const job = store.create(jobOf(cronJob, String(due / MINUTE)), by);
  const { uid, name, namespace, resourceVersion } = job.metadata;
  const reference = { apiVersion: "batch/v1", kind: "Job", uid, name, namespace, resourceVersion };
  const active = cronJob.spec?.concurrencyPolicy === "Replace" ? [] : activeOf(cronJob);
  const status = {
    ...cronJob.status,
    active: [...active, reference],
    lastScheduleTime: timeText(due),
  };
  writeStatus(store, cronJob, status);
}

/** Whether nothing speaks against a run that is due. */
function mayRun(store: ObjectStore, cronJob: KubeObject, due: number): boolean {
  if (cronJob.spec?.suspend === true) return false;
  if (cronJob.spec?.concurrencyPolicy === "Forbid" && activeOf(cronJob).length > 0) return false;
  const name = `${cronJob.metadata.name}-${due / MINUTE}`;
  return store.get({ ...refOf(cronJob), kind: "Job", name }) === undefined;
}

function schedule(store: ObjectStore, cronJob: KubeObject): Act[] {
  const due = dueTime(store, cronJob);
  if (due === undefined || !mayRun(store, cronJob, due)) return [];
  return [{ name: `CronJob ${cronJob.metadata.name}: run`, run: () => run(store, cronJob, due) }];
}

/** Runs a CronJob as its controller does when its schedule comes. */
export function runScheduled(store: ObjectStore, cronJob: KubeObject): void {
  const due = Math.floor(store.now() / MINUTE) * MINUTE;
  if (mayRun(store, cronJob, due)) run(store, cronJob, due);
}

/** Jobs that have ended are deleted beyond the limits, the oldest first. */
function history(store: ObjectStore, cronJob: KubeObject): Act[] {
  const jobs = jobsOf(store, cronJob);
  const limits: [string, string, number][] = [
    ["Complete", "successfulJobsHistoryLimit", 3],
    ["Failed", "failedJobsHistoryLimit", 1],
  ];
  return limits.flatMap(([type, field, fallback]) => {
    const ended = jobs.filter((job) => conditionOf(job, type)?.status === "True");
    const beyond = Math.max(0, ended.length - specNumber(cronJob, field, fallback));
    return ended.slice(0, beyond).map((job) => ({
      name: `CronJob ${cronJob.metadata.name}: delete Job ${job.metadata.name}`,
      run: () => void store.remove(refOf(job), { propagation: "Background" }),
    }));
  });
}

function ofCronJob(store: ObjectStore, cronJob: KubeObject): Act[] {
  const status = statusActs(store, cronJob, statusOf(store, cronJob));
  if (isDeleting(cronJob)) return status;
  return [...schedule(store, cronJob), ...history(store, cronJob), ...status];
}

/**
 * What the CronJob controller may do next; a Job that somebody else made for it is not in its list.
 */
export function acts(store: ObjectStore): Act[] {
  return store.list("CronJob").flatMap((cronJob) => ofCronJob(store, cronJob));
}
