import { deployment } from "@rollcast/testkit/deployment";
import type { DeploymentShape, Use } from "@rollcast/testkit/deployment";
import { configMap, paths, secret } from "@rollcast/testkit/objects";
import { daemonSet, pathOf, statefulSet } from "@rollcast/testkit/shapes";
import type { AnyObject } from "@rollcast/testkit/test-api";

/** Who else writes a workload. */
export type Interference = "scaled" | "applied" | "mutated" | "stripped" | "denied";

/** When an operator takes the marker off. */
export type Stripping = "at-once" | "midway" | "at-rest" | "any";

export const KINDS = {
  Deployment: "deployments",
  StatefulSet: "statefulsets",
  DaemonSet: "daemonsets",
} as const;
export type FleetKind = keyof typeof KINDS;

export type FleetMember = {
  readonly kind: FleetKind;
  readonly name: string;
  readonly by: readonly Interference[];
  readonly stripping: Stripping | undefined;
  /** As `<kind>/<name>`. */
  readonly sources: readonly string[];
  readonly replicas: number;
  readonly minReadySeconds: number;
};

const GROUPS = [
  { name: "calm", counts: [4, 1, 1], by: [] },
  { name: "scaled", counts: [11, 3, 0], by: ["scaled"] },
  { name: "applied", counts: [9, 2, 1], by: ["applied"] },
  { name: "mutated", counts: [8, 1, 1], by: ["mutated"] },
  { name: "stripped", counts: [9, 2, 1], by: ["stripped"] },
  { name: "all", counts: [9, 2, 1], by: ["scaled", "applied", "mutated", "stripped"] },
  { name: "denied", counts: [1, 0, 0], by: ["denied"] },
] as const;

const CONFIG_MAPS = 14;
const SECRETS = 6;
/** Every third workload uses a second source. */
const SECOND = { every: 3, factor: 7, shift: 3 };

/** Names of the sources, as `<kind>/<name>`. */
export const SOURCES: readonly string[] = [
  ...Array.from({ length: CONFIG_MAPS }, (_, i) => `ConfigMap/cfg-${i}`),
  ...Array.from({ length: SECRETS }, (_, i) => `Secret/sec-${i}`),
];

function sourcesOf(i: number): string[] {
  const { every, factor, shift } = SECOND;
  const indices = i % every === 0 ? [i, i * factor + shift] : [i];
  return [...new Set(indices.map((index) => SOURCES[index % SOURCES.length] ?? ""))];
}

const STRIPPINGS: readonly Stripping[] = ["midway", "at-rest", "any", "at-once"];

/** The workloads of a run: every kind and every interference, alone and together. */
export function fleet(): FleetMember[] {
  const plain = GROUPS.flatMap(({ name, counts, by }) => {
    const kinds = (Object.keys(KINDS) as FleetKind[]).flatMap((kind, k) =>
      Array.from({ length: counts[k] ?? 0 }, () => kind),
    );
    return kinds.map((kind, i) => ({ kind, name: `${name}-${i}`, by, place: i }));
  });
  return plain.map(({ kind, name, by, place }, i) => {
    const isStripped = (by as readonly Interference[]).includes("stripped");
    // With everything at once, none is given up for good.
    const strippings = by.length > 1 ? STRIPPINGS.slice(0, -1) : STRIPPINGS;
    return {
      kind,
      name,
      by,
      stripping: isStripped ? strippings[place % strippings.length] : undefined,
      sources: sourcesOf(i),
      replicas: 2 + (i % 2),
      minReadySeconds: i % 3,
    };
  });
}

export function keyOf({ kind, name }: Pick<FleetMember, "kind" | "name">): string {
  return `${kind}/${name}`;
}

export function isInterferedBy({ by }: FleetMember, interference: Interference): boolean {
  return by.includes(interference);
}

/** Where a member is in the API; without a name the collection of its kind. */
export function memberPath(namespace: string, { kind, name }: FleetMember): string {
  return pathOf("apps/v1", namespace, KINDS[kind], name);
}

function useOf(source: string): Use {
  const [kind = "", name = ""] = source.split("/");
  return { as: "envFrom", ...(kind === "Secret" ? { secret: name } : { configMap: name }) };
}

export const LABEL = "interference.test";

const OBJECTS = { Deployment: deployment, StatefulSet: statefulSet, DaemonSet: daemonSet };

/** The object of a member, as its owner keeps it in git; `build` is a part of its template. */
export function objectOf(namespace: string, member: FleetMember, build = 0): AnyObject {
  const { by, kind, minReadySeconds, name, replicas, sources } = member;
  const shape: DeploymentShape = {
    uses: sources.map(useOf),
    replicas,
    podAnnotations: { build: String(build) },
  };
  const object = OBJECTS[kind](namespace, name, shape) as AnyObject & { spec: object };
  const labels = Object.fromEntries(by.map((interference) => [`${LABEL}/${interference}`, "true"]));
  const strategy =
    kind === "Deployment" ? { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } : undefined;
  // Whoever has it scaled by others leaves the number out.
  const own = by.includes("applied") && by.includes("scaled") ? { replicas: undefined } : {};
  return {
    ...object,
    metadata: { ...object.metadata, labels },
    spec: { ...object.spec, ...own, strategy, minReadySeconds },
  };
}

/** The object of a source with a value, and the path of its collection. */
export function sourceObject(namespace: string, source: string, value: string) {
  const [kind = "", name = ""] = source.split("/");
  return kind === "Secret"
    ? { path: paths.secret(namespace), object: secret(namespace, name, { a: value }) }
    : { path: paths.configMap(namespace), object: configMap(namespace, name, { a: value }) };
}
