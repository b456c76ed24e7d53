import { kindOf } from "./kinds.ts";
import type { AdmissionRequest } from "./object-store.ts";
import type { KubeObject, Meta } from "./object.ts";
import { conflict } from "./status-error.ts";
import { record, timeText } from "./store-state.ts";
import type { StoreState } from "./store-state.ts";

export type RemoveOptions = {
  readonly manager?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  readonly gracePeriodSeconds?: number;
};

export const ORPHAN = "orphan";
export const FOREGROUND = "foregroundDeletion";

function check({ kind, metadata }: KubeObject, { uid, resourceVersion }: RemoveOptions): void {
  const named = { ...kindOf(kind), name: metadata.name };
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`;
    throw conflict(named, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`;
    throw conflict(named, why);
  }
}

function finalizersFor({ kind, metadata }: KubeObject, { propagation }: RemoveOptions): string[] {
  const present = metadata.finalizers ?? [];
  const kept = present.filter((name) => name !== ORPHAN && name !== FOREGROUND);
  const byDefault = present.includes(FOREGROUND)
    ? "Foreground"
    : present.includes(ORPHAN) || kindOf(kind).orphansByDefault === true
      ? "Orphan"
      : "Background";
  const policy = propagation ?? byDefault;
  if (policy === "Orphan") return [...kept, ORPHAN];
  return policy === "Foreground" ? [...kept, FOREGROUND] : kept;
}

/**
 * How long a pod may take to end; zero where nothing runs. Undefined for other kinds, which have no
 * grace period.
 */
function gracePeriod(object: KubeObject, options: RemoveOptions): number | undefined {
  if (object.kind !== "Pod") return undefined;
  const ended = object.status?.phase === "Succeeded" || object.status?.phase === "Failed";
  if (ended || object.spec?.nodeName === undefined) return 0;
  const seconds = options.gracePeriodSeconds ?? object.spec.terminationGracePeriodSeconds;
  return typeof seconds === "number" ? seconds : 0;
}

/** With the fields of a deletion that has begun; the first time counts as another generation. */
function deleting(state: StoreState, object: KubeObject, more: Partial<Meta>): KubeObject {
  const { generation, deletionTimestamp } = object.metadata;
  const raised = deletionTimestamp === undefined && generation !== undefined;
  const seconds = more.deletionGracePeriodSeconds ?? 0;
  const time = timeText(state.now() + seconds * 1_000);
  const metadata: Meta = {
    ...object.metadata,
    ...(raised ? { generation: generation + 1 } : {}),
    deletionTimestamp: time,
    ...more,
  };
  if (metadata.finalizers?.length !== 0) return { ...object, metadata };
  const { finalizers: _, ...others } = metadata;
  return { ...object, metadata: others };
}

/**
 * Deletes as the API server does: at once, or when the finalizers and the grace period have ended.
 */
export function createDeletion(
  state: StoreState,
  admit: (request: AdmissionRequest) => void,
): (object: KubeObject, options: RemoveOptions) => KubeObject | undefined {
  return (object, options) => {
    check(object, options);
    admit({ operation: "DELETE", manager: options.manager ?? "", object, before: object });
    const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata;
    const period = gracePeriod(object, options);
    const pending = deletionTimestamp !== undefined && deletionGracePeriodSeconds > 0;
    const requested = options.gracePeriodSeconds ?? Infinity;
    if (pending && period !== 0 && requested >= deletionGracePeriodSeconds) return object;
    const finalizers = finalizersFor(object, options);
    const isGraceful = period !== undefined && (deletionTimestamp === undefined || pending);
    if (!isGraceful && finalizers.length === 0) {
      record(state, "DELETED", object);
      return undefined;
    }
    const seconds = isGraceful ? period : 0;
    const marked = deleting(state, object, { finalizers, deletionGracePeriodSeconds: seconds });
    const stored = record(state, "MODIFIED", marked);
    if (finalizers.length > 0 || seconds > 0) return stored;
    record(state, "DELETED", stored);
    return undefined;
  };
}
