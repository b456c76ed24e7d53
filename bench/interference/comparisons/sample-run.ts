import type { RolloutData, RolloutEvent, RolloutOutcome } from "@rollcast/shared/events";
import type { Change, Evidence, Pod, Rejection, Write } from "../evidence/evidence.ts";

/** Builders of evidence for the tests of comparisons, about one workload and one source. */
export const WORKLOAD = "Deployment/web";
export const SOURCE = "ConfigMap/cfg";

/** The digest of content. */
export function digest(content: string): string {
  return `k1.${content.repeat(32)}`;
}

export function marker(content: string, again?: string): string {
  return JSON.stringify({ [SOURCE]: digest(content), ...(again === undefined ? {} : { again }) });
}

export function change(revision: number, at: number, content: string): Change {
  const times = { receivedAt: at, answeredAt: at + 1 };
  return { source: SOURCE, revision, ...times, digest: digest(content) };
}

export function write(revision: number, at: number, more: Partial<Write> = {}): Write {
  return {
    workload: WORKLOAD,
    revision,
    receivedAt: at,
    answeredAt: at + 1,
    by: "some-operator",
    isRollcast: false,
    generation: 1,
    replicas: 2,
    marker: undefined,
    template: "t",
    ...more,
  };
}

/** A patch of Rollcast. */
export function patch(
  revision: number,
  at: number,
  { generation, content, again }: { generation: number; content: string; again?: string },
): Write {
  const by = { by: "rollcast", isRollcast: true };
  return write(revision, at, { ...by, generation, marker: marker(content, again) });
}

export function pod(
  name: string,
  [revision, at]: readonly [number, number],
  deletedAt?: number,
): Pod {
  return {
    workload: WORKLOAD,
    name,
    uid: name,
    createdRevision: revision,
    createdAt: at,
    deletedAt,
  };
}

export function rejection(at: number, message: string): Rejection {
  return { workload: WORKLOAD, answeredAt: at, isRollcast: true, code: 422, message };
}

export function event(
  outcome: RolloutOutcome,
  at: number,
  { rollout, ...data }: Partial<RolloutData> & { rollout?: string } = {},
): RolloutEvent {
  const [kind = "", name = ""] = WORKLOAD.split("/");
  return {
    specversion: "1.0",
    id: `${outcome}-${rollout ?? ""}-${at}`,
    source: "/rollcast/test/restarter",
    type: `dev.rollcast.rollout.${outcome}.v1`,
    time: new Date(at).toISOString(),
    data: { workload: { kind, name, namespace: "app", uid: "u" }, rollout, ...data },
  };
}

export function cause(changedAt: number) {
  const [kind, name = ""] = SOURCE.split("/");
  const time = new Date(changedAt).toISOString();
  return { kind: kind as "ConfigMap", namespace: "app", name, changedAt: time };
}

/** Content `b` after `a`: planned, patched, and every pod replaced. */
export const ROLLED: Evidence = {
  subjects: [{ workload: WORKLOAD, sources: [SOURCE] }],
  writes: [
    write(20, 100),
    write(36, 1_500, { by: "hpa", generation: undefined, replicas: 3 }),
    patch(40, 2_000, { generation: 3, content: "b" }),
  ].map((each) => (each.revision < 36 ? each : { ...each, replicas: 3 })),
  rejections: [],
  changes: [change(10, 0, "a"), change(30, 1_000, "b")],
  pods: [
    pod("old-0", [21, 110], 2_100),
    pod("old-1", [22, 110], 2_200),
    pod("new-0", [41, 2_050]),
    pod("new-1", [42, 2_150]),
  ],
  events: [
    event("planned", 1_010, { cause: cause(1_002) }),
    event("started", 2_010, { rollout: "r1", generation: 3, cause: cause(1_002) }),
    event("succeeded", 2_300, { rollout: "r1", generation: 3, reason: "Complete" }),
  ],
  deadlines: [],
};

/** The same up to its `started`, and then these writes and events. */
export function rolledUpTo(
  writes: readonly Write[],
  events: readonly RolloutEvent[],
  more: Partial<Evidence> = {},
): Evidence {
  return {
    ...ROLLED,
    writes: [...ROLLED.writes, ...writes.map((each) => ({ ...each, replicas: 3 }))],
    events: [...ROLLED.events.slice(0, 2), ...events],
    ...more,
  };
}
