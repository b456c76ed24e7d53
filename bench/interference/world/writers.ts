import { setTimeout as sleep } from "node:timers/promises";
import { randomInt } from "node:crypto";
import { ApiError } from "@rollcast/testkit/test-api";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { LABEL, KINDS, isInterferedBy, keyOf, memberPath, objectOf } from "./fleet.ts";
import type { FleetKind, FleetMember, Stripping } from "./fleet.ts";

const MARKER = "rollcast.dev/config";
const SCALE_MS = 120;
const MAX_REPLICAS = 4;
const APPLY_MS = 5_000;
/** Every so many applies, git has another template. */
const BUILD_APPLIES = 9;
const LOOK_MS = 200;
/** Between two removals of a workload's marker, so that its content is not given up. */
const REST_MS = { "at-once": 0, midway: 12_000, "at-rest": 20_000, any: 15_000 };
/** Of how many looks at what may be stripped one does it. */
const RARELY = 4;

export type World = {
  readonly api: Api;
  readonly namespace: string;
  readonly members: readonly FleetMember[];
};

/** What may happen to whoever writes beside others: it comes too late, or the server is busy. */
const RACES = new Set([404, 409, 422, 429, 500, 503, 504]);

async function race(write: Promise<unknown>): Promise<void> {
  await write.catch((err: unknown) => {
    if (!(err instanceof ApiError) || !RACES.has(err.status)) throw err;
  });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Scales one member after the other, as an HPA does: by the scale subresource, up and down. */
export async function scale({ api, namespace, members }: World, signal: AbortSignal) {
  const scaled = members.filter(
    (member) => member.kind !== "DaemonSet" && isInterferedBy(member, "scaled"),
  );
  for (let i = 0; !signal.aborted; i++) {
    const member = scaled[i % scaled.length];
    if (member === undefined) return;
    const body = { spec: { replicas: randomInt(1, MAX_REPLICAS + 1) } };
    await race(api.patch(`${memberPath(namespace, member)}/scale`, body, "hpa"));
    await pause(SCALE_MS, signal);
  }
}

/** Applies a member as a GitOps controller does: its own fields, by force. */
export function apply(
  { api, namespace }: Pick<World, "api" | "namespace">,
  member: FleetMember,
  build: number,
): Promise<AnyObject> {
  return api.call({
    method: "PATCH",
    path: `${memberPath(namespace, member)}?force=true`,
    body: objectOf(namespace, member, build),
    contentType: "application/apply-patch+yaml",
    manager: "gitops",
  });
}

/** Applies all its members every five seconds, now and then with another template. */
export async function applyAll(world: World, signal: AbortSignal) {
  const applied = world.members.filter((member) => isInterferedBy(member, "applied"));
  for (let round = 1; !signal.aborted; round++) {
    const began = Date.now();
    for (const [i, member] of applied.entries()) {
      // Half of them only say again what they are.
      const build = i % 2 === 0 ? 0 : Math.floor((round + i) / BUILD_APPLIES);
      await race(apply(world, member, build));
    }
    await pause(Math.max(0, began + APPLY_MS - Date.now()), signal);
  }
}

type Listed = AnyObject & {
  spec: {
    replicas?: number;
    template: { metadata: { annotations?: Record<string, string> } };
  };
  status: Readonly<Record<string, number | undefined>>;
};

/** Whether its controller has nothing to do. */
function isAtRest(kind: FleetKind, { metadata, spec, status }: Listed): boolean {
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return false;
  const counts =
    kind === "DaemonSet"
      ? [status.updatedNumberScheduled, status.numberAvailable]
      : [status.updatedReplicas, status.replicas, status.availableReplicas];
  const wanted = kind === "DaemonSet" ? status.desiredNumberScheduled : spec.replicas;
  return counts.every((count) => (count ?? 0) === wanted);
}

function isDue(stripping: Stripping, isResting: boolean, sinceMs: number): boolean {
  if (stripping === "at-once") return true;
  if (sinceMs < REST_MS[stripping] || randomInt(RARELY) > 0) return false;
  return stripping === "any" || (stripping === "at-rest") === isResting;
}

/** Takes the marker off, as an operator does that keeps the template as it wants it. */
export async function strip({ api, namespace, members }: World, signal: AbortSignal) {
  const byKey = new Map(members.map((member) => [keyOf(member), member]));
  const lastAt = new Map<string, number>();
  const path = `/spec/template/metadata/annotations/${MARKER.replace("/", "~1")}`;
  const look = async (kind: FleetKind) => {
    const selector = `labelSelector=${encodeURIComponent(`${LABEL}/stripped`)}`;
    const at = `/apis/apps/v1/namespaces/${namespace}/${KINDS[kind]}?${selector}`;
    const { items } = await api.get<{ items: Listed[] }>(at);
    for (const item of items) {
      const member = byKey.get(keyOf({ kind, name: item.metadata.name }));
      const annotations = item.spec.template.metadata.annotations ?? {};
      if (member?.stripping === undefined || !(MARKER in annotations)) continue;
      const sinceMs = Date.now() - (lastAt.get(keyOf(member)) ?? 0);
      if (!isDue(member.stripping, isAtRest(kind, item), sinceMs)) continue;
      lastAt.set(keyOf(member), Date.now());
      const body = [{ op: "remove", path }];
      const contentType = "application/json-patch+json";
      const to = memberPath(namespace, member);
      const manager = "some-operator";
      await race(api.call({ method: "PATCH", path: to, body, contentType, manager }));
    }
  };
  while (!signal.aborted) {
    for (const kind of Object.keys(KINDS) as FleetKind[]) await look(kind);
    await pause(LOOK_MS, signal);
  }
}
