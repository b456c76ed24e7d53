import { setTimeout as sleep } from "node:timers/promises";
import { KubeError, isTransient } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { cutBytes } from "@rollcast/shared/cut";
import { stableId } from "@rollcast/shared/events";
import type { Logger } from "@rollcast/runtime/logger";
import { retry } from "@rollcast/async/retry";
import { mapLimit } from "@rollcast/async/map-limit";
import type { OutboxEvent } from "../model/workload-record.ts";

type EventReason = { readonly type: "Normal" | "Warning"; readonly reason: string };

/** The outcomes worth showing on the workload, with the reasons that Reloader's users know. */
const EVENT_REASONS: Readonly<Partial<Record<OutboxEvent["outcome"], EventReason>>> = {
  started: { type: "Normal", reason: "Reloaded" },
  failed: { type: "Warning", reason: "ReloadFail" },
  stalled: { type: "Warning", reason: "ReloadStalled" },
  throttled: { type: "Warning", reason: "ReloadThrottled" },
};

function note(event: OutboxEvent): string {
  const { cause, reason, message, dueAt } = event.data;
  const source = cause === undefined ? "a source" : `${cause.kind} ${cause.name}`;
  if (event.outcome === "started") return `Rolled by Rollcast: ${source} changed`;
  if (event.outcome === "throttled") {
    const by = cause?.changedBy === undefined ? "" : `, written by ${cause.changedBy.manager}`;
    return `${source} changes too often${by}: next rollout at ${dueAt ?? "a later time"}`;
  }
  const why = message === undefined || message === "" ? "" : `: ${message}`;
  if (event.outcome === "stalled") return `Rollout for ${source} has not ended yet${why}`;
  return `Rollout for ${source} failed (${reason ?? "unknown"})${why}`;
}

/** A Kubernetes Event on a workload, recorded once per `id`. `time` in ms since the epoch. */
export type KubeEvent = EventReason & {
  readonly id: string;
  readonly workload: {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly time: number;
  readonly note: string;
};

/** The Kubernetes Event for an outcome; undefined if it has none. */
export function kubeEventOf(event: OutboxEvent): KubeEvent | undefined {
  const shown = EVENT_REASONS[event.outcome];
  if (shown === undefined) return undefined;
  const id = stableId(event.id, event.outcome);
  const { workload } = event.data;
  return { ...shown, id, workload, time: event.time, note: note(event) };
}

/** What the API server takes. */
const MAX_NOTE_BYTES = 1_024;

/** The `events.k8s.io/v1` object, named after the id, so that recording twice creates one Event. */
export function eventObject(event: KubeEvent, kind: WorkloadKind, instance: string) {
  const { workload } = event;
  const prefix = workload.name.slice(0, 200).replace(/[-.]+$/, "");
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: `${prefix}.${event.id.slice(0, 16)}`, namespace: workload.namespace },
    eventTime: `${new Date(event.time).toISOString().slice(0, -1)}000Z`,
    reportingController: "rollcast.dev/restarter",
    reportingInstance: instance.slice(0, 128),
    action: "Rollout",
    reason: event.reason,
    type: event.type,
    note: cutBytes(event.note, MAX_NOTE_BYTES),
    regarding: {
      apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
      kind: kind.kind,
      namespace: workload.namespace,
      name: workload.name,
      uid: workload.uid,
    },
  };
}

const CONCURRENCY = 4;
const BATCH = 100;
const POLL_INTERVAL_MS = 50;
const MAX_WAIT_MS = 5_000;
const MAX_WAITING = 10_000;
/** What gets no answer, or is asked to come again, is tried so often. */
const ATTEMPTS = 5;
const RETRY = { initial: 250, max: 2_000 };

/** Records Events on workloads. Disposal writes what still waits. */
export type EventRecorder = AsyncDisposable & { recordEvent(event: KubeEvent | undefined): void };

export type EventRecorderOptions = {
  kube: KubeClient;
  kinds: ReadonlyMap<string, WorkloadKind>;
  /** The reporting process. */
  instance: string;
  /** Counts the patches in progress: they are more urgent. */
  patching: { readonly count: number };
  logger: Logger;
};

async function write(
  options: EventRecorderOptions,
  event: KubeEvent,
  isClosing: () => boolean,
): Promise<void> {
  const { workload } = event;
  const kind = options.kinds.get(workload.kind);
  if (kind === undefined) return;
  const body = eventObject(event, kind, options.instance);
  const path = `/apis/events.k8s.io/v1/namespaces/${body.metadata.namespace}/events`;
  const onFailure = (err: unknown, attempt: number) => {
    if (!(err instanceof KubeError) || !isTransient(err)) throw err;
    if (attempt >= ATTEMPTS || isClosing()) throw err;
    return err.retryAfterMs === undefined ? undefined : Math.min(err.retryAfterMs, RETRY.max);
  };
  const post = () => options.kube.request({ method: "POST", path, body });
  try {
    // Its name makes a second Event of it impossible.
    await retry(post, { backoff: RETRY, onFailure });
  } catch (err) {
    if (err instanceof KubeError && err.status === 409) return;
    options.logger.warn({ err, workload }, "kubernetes event write failed");
  }
}

/**
 * Writes Kubernetes Events, a few at a time and after the patches: while there are patches they
 * wait, up to five seconds. What gets no answer is tried again, but by no recorder that is being
 * disposed of. Failures are logged only: the event stream has every outcome.
 */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const waiting: KubeEvent[] = [];
  let closing = false;
  let pumping: Promise<void> | undefined;
  const pump = async () => {
    while (waiting.length > 0) {
      for (
        let waited = 0;
        waited < MAX_WAIT_MS && options.patching.count > 0 && !closing;
        waited += POLL_INTERVAL_MS
      ) {
        await sleep(POLL_INTERVAL_MS);
      }
      await mapLimit(waiting.splice(0, BATCH), CONCURRENCY, (event) =>
        write(options, event, () => closing),
      );
    }
    pumping = undefined;
  };
  return {
    recordEvent(event) {
      if (event === undefined) return;
      if (waiting.length >= MAX_WAITING)
        options.logger.warn("too many kubernetes events, event dropped");
      else waiting.push(event);
      pumping ??= pump();
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      await pumping;
    },
  };
}
