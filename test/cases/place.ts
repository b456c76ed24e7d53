import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent, RolloutData } from "@rollcast/shared/events";
import { recordKey } from "@rollcast/shared/subjects";
import type { Nats } from "@rollcast/nats/connect";
import type { Kv } from "@rollcast/nats/kv";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { deployment } from "@rollcast/testkit/deployment";
import type { DeploymentShape } from "@rollcast/testkit/deployment";
import type { FaultProxy, Rule } from "@rollcast/testkit/fault-proxy";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { z } from "zod";
import { uniqueValue } from "../stack.ts";
import type { Stack } from "../stack.ts";

/** What tests read of a workload's record. */
export const SeenRecord = z.object({
  phase: z.string(),
  generation: z.number(),
  running: z.record(z.string(), z.object({ digest: z.string() })),
  outbox: z.array(z.unknown()),
});
export type SeenRecord = z.infer<typeof SeenRecord>;

/**
 * A stack for several cases, each in a namespace of its own, and a fault proxy before its API
 * server.
 */
export type World = {
  readonly api: Api;
  readonly stack: Stack;
  readonly proxy: FaultProxy;
  /** A connection for a look into streams and buckets. */
  readonly nats: Nats;
  /** Every event so far, oldest first. */
  readonly events: readonly RollcastEvent[];
  readonly records: Kv<SeenRecord>;
  /** Replaces the faults of one namespace; the others keep theirs. */
  faults(namespace: string, rules: readonly Rule[]): void;
};

/** How a rollout ends, or is said not to begin. */
export const ENDS = ["succeeded", "failed", "superseded", "cancelled", "skipped"] as const;

type PlaceShape = DeploymentShape & { readonly spec?: object; readonly adopt?: boolean };

/**
 * A case's namespace, and what is seen there. Names are of Deployments unless another kind is
 * given.
 */
export type Place = {
  readonly world: World;
  readonly api: Api;
  readonly namespace: string;
  /** Makes a ConfigMap, by default `cfg` with the key `A`. */
  source(name?: string, data?: Record<string, string>): Promise<void>;
  /** Gives one key of a ConfigMap another value. */
  change(name?: string, key?: string): Promise<void>;
  /**
   * Makes a Deployment that uses `cfg` by default, and waits until its pods run and, by
   * default, its record is adopted.
   */
  deploy(name: string, shape?: PlaceShape): Promise<void>;
  adopted(name: string, kind?: string): Promise<void>;
  record(name: string, kind?: string): Promise<SeenRecord | undefined>;
  /** Its rollout events so far, in order, each with its reason. */
  events(name: string): string[];
  /** Data of its rollout events. */
  data(name: string, outcome: string): RolloutData[];
  /**
   * Waits for one of these outcomes; undefined where none comes within `withinMs`. The first `skip`
   * events do not count.
   */
  firstOf(
    name: string,
    outcomes: readonly string[],
    options?: { readonly withinMs?: number; readonly skip?: number },
  ): Promise<string | undefined>;
  /**
   * Waits until the restarter has looked at everybody who uses a source, for its `count`th event:
   * by default for all that were written by this place.
   */
  planned(source: string, count?: number): Promise<void>;
  /**
   * Waits for the end of what is planned for a workload, where something is: events of plans come
   * before the source's event is handled.
   */
  endOfPlanned(name: string, skip?: number): Promise<void>;
  /** Uids of the pods with the label `app` of this name that are not on their way out. */
  pods(app: string): Promise<string[]>;
  /** How many pods with this label were ever made. */
  podsMade(app: string): Promise<number>;
  generation(name: string): Promise<number>;
  /** Writes what no version can read in the place of a record. */
  spoil(bucket: "sources" | "workloads", kind: string, name: string): Promise<void>;
  /** What the API server's proxy does to requests that name this namespace. */
  faults(rules: readonly Rule[]): void;
};

/** How many of the pods before are still there. */
export function fateOf(before: readonly string[], now: readonly string[]): string {
  const kept = before.filter((uid) => now.includes(uid)).length;
  if (kept === before.length) return "unchanged";
  return kept === 0 ? "restarted" : `${kept} of ${before.length} unchanged`;
}

function isAbout(event: RollcastEvent, namespace: string, name: string): boolean {
  return (
    eventOutcome(event.type).domain === "rollout" &&
    "workload" in event.data &&
    event.data.workload.namespace === namespace &&
    event.data.workload.name === name
  );
}

function eventText(event: RollcastEvent): string {
  const { outcome } = eventOutcome(event.type);
  const reason = "reason" in event.data ? event.data.reason : undefined;
  return reason === undefined ? outcome : `${outcome} ${reason}`;
}

/** How long an event may take from the stream to here. */
const LAG_MS = 1_500;

export function openPlace(world: World, namespace: string): Place {
  const { api, stack, events, records } = world;
  /** How many events of each source Rollcast has been given cause for here. */
  const written = new Map<string, number>();
  const wrote = (source: string) => written.set(source, (written.get(source) ?? 0) + 1);
  const about = (name: string) => events.filter((event) => isAbout(event, namespace, name));
  const record = async (name: string, kind = "Deployment") =>
    (await records.get(recordKey("test", { kind, namespace, name })))?.value;
  const adopted = async (name: string, kind?: string) => {
    await waitFor(async () => (await record(name, kind))?.phase === "current", {
      message: `${name} to be adopted`,
      every: 100,
    });
  };
  const firstOf: Place["firstOf"] = async (
    name,
    outcomes,
    { withinMs = 15_000, skip = 0 } = {},
  ) => {
    const look = () =>
      about(name)
        .slice(skip)
        .map(eventText)
        .find((text) => outcomes.some((outcome) => text.split(" ")[0] === outcome));
    return waitFor(look, { timeout: withinMs, every: 20 }).catch(() => undefined);
  };
  const podsOf = async (app: string) => {
    const path = `${paths.pod(namespace)}?labelSelector=app%3D${app}`;
    return (await api.get<{ items: AnyObject[] }>(path)).items;
  };
  return {
    world,
    api,
    namespace,
    async source(name = "cfg", data = { A: "0" }) {
      await api.create(paths.configMap(namespace), configMap(namespace, name, data));
      wrote(name);
    },
    async change(name = "cfg", key = "A") {
      // Parsed, so that `__proto__` is a key like others.
      const data = JSON.parse(
        `{${JSON.stringify(key)}:${JSON.stringify(uniqueValue())}}`,
      ) as object;
      await api.patch(paths.configMap(namespace, name), { data }, "kubectl-edit");
      wrote(name);
    },
    async deploy(name, { spec, adopt = true, ...shape } = {}) {
      const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
      const object = deployment(namespace, name, { uses, ...shape });
      await api.create(paths.deployment(namespace), {
        ...object,
        spec: { ...object.spec, ...spec },
      });
      await waitRolledOut(api, namespace, name);
      if (adopt) await adopted(name);
    },
    adopted,
    record,
    events: (name) => about(name).map(eventText),
    data: (name, outcome) =>
      about(name)
        .filter((event) => eventOutcome(event.type).outcome === outcome)
        .map((event) => event.data as RolloutData),
    firstOf,
    async endOfPlanned(name, skip = 0) {
      const planned = await firstOf(name, ["planned"], { withinMs: LAG_MS, skip });
      if (planned !== undefined) await firstOf(name, ENDS, { skip });
    },
    async planned(source, count = written.get(source)) {
      await waitFor(
        () =>
          stack
            .logs()
            .filter(
              ({ msg, source: subject }) =>
                msg === "source event handled" &&
                String(subject).endsWith(`${namespace}/${source}`),
            ).length >= (count ?? 1),
        { message: `the change of ${source} to be planned`, every: 20 },
      );
    },
    pods: async (app) =>
      (await podsOf(app))
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map(({ metadata }) => metadata.uid ?? ""),
    async podsMade(app) {
      const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=reason%3DSuccessfulCreate`;
      const { items } = await api.get<{ items: AnyObject[] }>(path);
      return items.filter(({ message }) => String(message).startsWith(`Created pod: ${app}-`))
        .length;
    },
    async generation(name) {
      const object = await api.get<AnyObject>(paths.deployment(namespace, name));
      return object.metadata.generation ?? 0;
    },
    async spoil(bucket, kind, name) {
      const key = recordKey("test", { kind, namespace, name });
      await world.nats.js.publish(`$KV.${bucket}.${key}`, "unreadable");
    },
    faults(rules) {
      const own = rules.map((rule) => {
        const source = rule.path?.source ?? "";
        return { ...rule, path: new RegExp(`/namespaces/${namespace}/.*${source}`) };
      });
      world.faults(namespace, own);
    },
  };
}
