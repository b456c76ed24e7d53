import type { Installation } from "@rollcast/nats/installation";
import type { Logger } from "@rollcast/runtime/logger";
import type { Metrics } from "@rollcast/runtime/metrics";
import { stableId } from "@rollcast/shared/events";
import type { WorkloadIndex } from "../index/index-types.ts";
import { keyIdsOf, otherKeyId } from "../model/content.ts";
import { namedWorkloads, workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import type { KubeEvent } from "./kube-events.ts";

/** The workloads that other installations roll, as their markers say. */
export type OtherInstallations = {
  /** Id of our own key, if it is recorded. */
  ownKeyId(): string | undefined;
  /** Id of the key of the other installation that rolls this workload. */
  keyIdOf(key: WorkloadKey): string | undefined;
  /** Each other installation with the workloads that it rolls. */
  all(): { readonly keyId: string; readonly workloads: readonly WorkloadKey[] }[];
  /** Logs what is marked now, one line for each key. */
  reportPresent(): void;
};

type Options = {
  readonly index: Pick<WorkloadIndex, "listen">;
  readonly installation: () => Installation | undefined;
  readonly recordEvent: (event: KubeEvent) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
};

/**
 * Our own rollouts replace the other's marker, so a workload counts for so long after it was seen
 * there.
 */
const KEPT_MS = 86_400_000;

/** The other installation that wrote a marker while we looked. */
type Sighting = { readonly keyId: string; readonly at: number };

/** Whether what the marker says about installations is the same. */
function isSameMarker(a: Workload, b: Workload): boolean {
  return (
    a.uid === b.uid &&
    a.marker === b.marker &&
    a.ownsMarker === b.ownsMarker &&
    a.mayRoll === b.mayRoll
  );
}

function eventOf(workload: Workload, ids: { keyId: string; own: string }, time: number): KubeEvent {
  const { kind, namespace, name, uid } = workload;
  return {
    id: stableId(uid, "other-installation", ids.keyId),
    workload: { kind, namespace, name, uid },
    time,
    type: "Warning",
    reason: "OtherInstallation",
    note: `Rolled by another installation of Rollcast as well (its installation key ${ids.keyId}, ours ${ids.own}): each change restarts the pods twice`,
  };
}

/**
 * Follows whose markers the workloads carry. A marker that appears while we look was written by an
 * installation that runs: it is logged and recorded on the workload, once. One that was there
 * before may be left by an installation that is gone.
 */
export function watchOtherInstallations(options: Options): OtherInstallations {
  const { index, installation, recordEvent, logger, metrics, clock = Date.now } = options;
  /** Key ids of each workload's marker, ours too: which are ours may change. */
  const present = new Map<WorkloadKey, readonly string[]>();
  const sightings = new Map<WorkloadKey, Sighting>();

  const sight = (workload: Workload, keyId: string, own: string) => {
    const key = workloadKey(workload);
    const isReported = sightings.get(key)?.keyId === keyId;
    sightings.set(key, { keyId, at: clock() });
    if (isReported) return;
    const { kind, namespace, name } = workload;
    logger.warn(
      { workload: { kind, namespace, name }, keyId, ownKeyId: own },
      "another installation rolls the workload as well",
    );
    recordEvent(eventOf(workload, { keyId, own }, clock()));
  };
  index.listen({
    changed(workload, before) {
      if (before !== undefined && isSameMarker(workload, before)) return;
      const key = workloadKey(workload);
      const isRead = workload.mayRoll && workload.ownsMarker === true;
      const ids = isRead ? keyIdsOf(workload.marker) : [];
      if (ids.length === 0) present.delete(key);
      else present.set(key, ids);
      const isWritten = before?.uid === workload.uid && before.marker !== workload.marker;
      const own = installation();
      const keyId = isWritten ? otherKeyId(ids, own) : undefined;
      if (keyId !== undefined) sight(workload, keyId, own?.keyId ?? "");
    },
    removed(workload) {
      present.delete(workloadKey(workload));
      sightings.delete(workloadKey(workload));
    },
  });

  const keyIdOf = (key: WorkloadKey) => {
    const own = installation();
    const keyId = otherKeyId(present.get(key) ?? [], own);
    const sighting = sightings.get(key);
    if (keyId !== undefined || sighting === undefined) return keyId;
    return clock() - sighting.at < KEPT_MS ? otherKeyId([sighting.keyId], own) : undefined;
  };
  const all = () => {
    const byKey = new Map<string, WorkloadKey[]>();
    for (const key of new Set([...present.keys(), ...sightings.keys()])) {
      const keyId = keyIdOf(key);
      if (keyId !== undefined) byKey.set(keyId, [...(byKey.get(keyId) ?? []), key]);
    }
    return [...byKey].map(([keyId, workloads]) => ({ keyId, workloads }));
  };
  metrics.gauge(
    "rollcast_workloads_rolled_elsewhere",
    "Workloads that another installation rolled, by their marker; /readyz and the log name them",
    [],
    (gauge) => gauge.set(all().reduce((sum, { workloads }) => sum + workloads.length, 0)),
  );
  return {
    ownKeyId: () => installation()?.keyId,
    keyIdOf,
    all,
    reportPresent() {
      for (const { keyId, workloads } of all()) {
        if (workloads.every((key) => sightings.has(key))) continue;
        logger.warn(
          {
            keyId,
            ownKeyId: installation()?.keyId,
            workloads: workloads.length,
            first: workloads.slice(0, NAMED),
            ifEarlierKey: `installationKey: { earlierIds: ["${keyId}"] }`,
          },
          "workloads carry markers of another installation or an earlier key: set ifEarlierKey in rollcast.yaml if it was a key of this installation",
        );
      }
    },
  };
}

/** So many are named. */
const NAMED = 3;

/** A line for each other installation behind the `ok` of `/readyz`. */
export function otherInstallationNotes(
  others: Pick<OtherInstallations, "all" | "ownKeyId">,
): string[] {
  return others.all().map(({ keyId, workloads }) => {
    const named = namedWorkloads(workloads);
    return `another installation (key ${keyId}, ours ${others.ownKeyId()}) rolls workloads of this one: ${named}`;
  });
}
