import { dig } from "../object.ts";
import type { KubeObject } from "../object.ts";

type Fields = Record<string, unknown>;

/** Which rollout made a Job. */
export const ROLLOUT = "rollcast.dev/rollout";

const MANUAL = { "cronjob.kubernetes.io/instantiate": "manual" };
/** The label that the pods of every Job have, with the Job's name. */
export const JOB_NAME = "batch.kubernetes.io/job-name";
/** What the Job controller adds to a Job and its pod template, in both spellings. */
const CONTROLLER_LABELS = new Set([
  "controller-uid",
  "job-name",
  "batch.kubernetes.io/controller-uid",
  JOB_NAME,
]);
const SERVER_FIELDS = new Set([
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
]);
/** Put on by a deletion, not by the owner. */
const DELETION_FINALIZERS = new Set(["orphan", "foregroundDeletion"]);

/**
 * What is written into a Job that is made: the marker of its pod template, and the rollout that
 * makes it.
 */
export type JobMarks = {
  readonly marker: { readonly name: string; readonly value: string };
  readonly rollout: string;
};

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function without(value: unknown, names: ReadonlySet<string>): Fields {
  return Object.fromEntries(Object.entries(fields(value)).filter(([name]) => !names.has(name)));
}

function markedTemplate(template: unknown, { marker }: JobMarks, labels: Fields): Fields {
  const { metadata, ...rest } = fields(template);
  const annotations = { ...fields(dig(metadata, "annotations")), [marker.name]: marker.value };
  return { ...rest, metadata: { ...fields(metadata), labels, annotations } };
}

/**
 * A Job to be made again under its name: as it is, without what the API server and the Job
 * controller wrote into it. Where its owner selects the pods by hand (`manualSelector`), the
 * selector and all labels are the owner's.
 */
export function jobAgain(object: KubeObject, marks: JobMarks): Fields {
  const spec = fields(object.spec);
  const manual = spec.manualSelector === true;
  const none: ReadonlySet<string> = new Set();
  const foreign = manual ? none : CONTROLLER_LABELS;
  const labels = without(dig(spec.template, "metadata", "labels"), foreign);
  const metadata = without(object.metadata, SERVER_FIELDS);
  const finalizers = Array.isArray(metadata.finalizers) ? (metadata.finalizers as string[]) : [];
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      ...metadata,
      labels: without(metadata.labels, foreign),
      annotations: { ...fields(metadata.annotations), [ROLLOUT]: marks.rollout },
      finalizers: finalizers.filter((finalizer) => !DELETION_FINALIZERS.has(finalizer)),
    },
    spec: {
      ...without(spec, manual ? none : new Set(["selector"])),
      template: markedTemplate(spec.template, marks, labels),
    },
  };
}

/**
 * A Job from a CronJob's template, run by hand as `kubectl create job --from` does, and owned by
 * it, so that its history limits apply. Without `blockOwnerDeletion`, which would need a permission
 * on the CronJob's finalizers.
 */
export function jobFrom(cronJob: KubeObject, name: string, marks: JobMarks): Fields {
  const template = fields(dig(cronJob, "spec", "jobTemplate"));
  const { name: owner, namespace, uid } = cronJob.metadata;
  const spec = fields(template.spec);
  const labels = fields(dig(spec.template, "metadata", "labels"));
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      namespace,
      labels: fields(dig(template.metadata, "labels")),
      annotations: {
        ...fields(dig(template.metadata, "annotations")),
        ...MANUAL,
        [ROLLOUT]: marks.rollout,
      },
      ownerReferences: [
        { apiVersion: "batch/v1", kind: "CronJob", name: owner, uid, controller: true },
      ],
    },
    spec: { ...spec, template: markedTemplate(spec.template, marks, labels) },
  };
}

const MAX_NAME = 63;

/**
 * The name of a CronJob's Job for one content: `<CronJob>-<digest>`, at most 63 characters, since
 * its pods carry it as a label.
 */
export function jobName(cronJob: string, digest: string): string {
  const head = cronJob.slice(0, MAX_NAME - 1 - digest.length).replace(/[-.]+$/, "");
  return `${head}-${digest}`;
}

/** Whether a Job of that name was made from the CronJob: {@link jobName} with ten hex digits. */
export function isJobName(cronJob: string, name: string): boolean {
  const [digest] = /(?<=-)[0-9a-f]{10}$/.exec(name) ?? [];
  return digest !== undefined && jobName(cronJob, digest) === name;
}
