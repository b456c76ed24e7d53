import { withDefaults } from "./defaults.ts";
import { forbiddenChange, kindOf } from "./kinds.ts";
import { managedAfter } from "./managed-fields.ts";
import { isEqual } from "./object.ts";
import type { Draft, Fields, KubeObject, Meta } from "./object.ts";
import type { WriteOptions } from "./object-store.ts";
import { MODIFIED, conflict, invalid } from "./status-error.ts";
import type { StoreState } from "./store-state.ts";

type By = WriteOptions & { readonly applied?: true };

/** Fields that the server writes, whatever a client sends. */
const SERVER_FIELDS = [
  "uid",
  "creationTimestamp",
  "generation",
  "deletionTimestamp",
  "managedFields",
] as const;

function writerOf(state: StoreState, { manager, subresource, applied }: By) {
  return {
    manager,
    operation: applied === true ? ("Apply" as const) : ("Update" as const),
    ...(subresource === undefined ? {} : { subresource }),
    time: state.time(),
  };
}

function nameOf(state: StoreState, { name, generateName }: Partial<Meta>): string {
  if (name !== undefined && name !== "") return name;
  return `${generateName ?? ""}${(state.uids + 1_000_000).toString(36).slice(-5).padStart(5, "0")}`;
}

/** What is stored for an object that a client creates. */
export function createdObject(
  given: Draft,
  { state, uid, by }: { state: StoreState; uid: string; by: By },
): KubeObject {
  const kind = kindOf(given.kind);
  const { status: sent, ...rest } = given;
  const filled = withDefaults(
    kind.status === true ? rest : { ...rest, ...(sent === undefined ? {} : { status: sent }) },
  );
  const object = kind.completed?.(filled, uid) ?? filled;
  const {
    managedFields: _,
    deletionTimestamp: __,
    resourceVersion: ___,
    generation: ____,
    ...metadata
  } = object.metadata;
  const managedFields = state.managedFields
    ? managedAfter(undefined, given, writerOf(state, by))
    : undefined;
  return {
    ...object,
    ...(kind.status === true ? { status: kind.initialStatus ?? {} } : {}),
    metadata: {
      ...metadata,
      name: nameOf(state, metadata),
      uid,
      resourceVersion: "",
      ...(kind.raisesGeneration === undefined ? {} : { generation: 1 }),
      creationTimestamp: state.time(),
      ...(managedFields === undefined ? {} : { managedFields }),
    },
  };
}

function merged(before: KubeObject, given: Draft, subresource: By["subresource"]): KubeObject {
  const server = Object.fromEntries(
    SERVER_FIELDS.map((name) => [name, before.metadata[name]]).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const client = Object.fromEntries(
    Object.entries(given.metadata).filter(([name]) => !SERVER_FIELDS.includes(name as "uid")),
  );
  const metadata = {
    ...client,
    ...server,
    resourceVersion: before.metadata.resourceVersion,
  } as Meta;
  if (subresource === "status") {
    // Annotations too may come with a status: the revision of a Deployment does.
    const { annotations } = given.metadata;
    const { annotations: _, ...others } = before.metadata;
    const kept = annotations === undefined ? others : { ...others, annotations };
    return {
      ...before,
      metadata: kept,
      ...(given.status === undefined ? {} : { status: given.status as Fields }),
    };
  }
  if (subresource === "scale") {
    return {
      ...before,
      spec: { ...before.spec, replicas: (given.spec as Fields | undefined)?.replicas },
    };
  }
  const ofServer = kindOf(before.kind).status === true ? { status: before.status } : {};
  return withDefaults({ ...given, ...ofServer, metadata } as KubeObject);
}

function check(before: KubeObject, given: Draft): void {
  const named = { ...kindOf(before.kind), name: before.metadata.name };
  const { uid = "", resourceVersion = "" } = given.metadata;
  if (uid !== "" && uid !== before.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`;
    throw conflict(named, why);
  }
  if (resourceVersion !== "" && resourceVersion !== before.metadata.resourceVersion) {
    throw conflict(named, MODIFIED);
  }
}

/** What is stored for a write of an object; the object itself where the write changes nothing. */
export function updatedObject(
  state: StoreState,
  before: KubeObject,
  given: Draft,
  by: By,
): KubeObject {
  check(before, given);
  const after = merged(before, given, by.subresource);
  const immutable = forbiddenChange(before, after);
  if (immutable !== undefined) {
    throw invalid(before.kind, before.metadata.name, `spec.${immutable}: field is immutable`);
  }
  const raises =
    by.subresource !== "status" && kindOf(before.kind).raisesGeneration?.(before, after) === true;
  const generation = (before.metadata.generation ?? 0) + 1;
  const metadata = raises ? { ...after.metadata, generation } : after.metadata;
  const managedFields = state.managedFields
    ? managed(state, before, { ...after, metadata }, { given, by })
    : undefined;
  const next = {
    ...after,
    metadata: managedFields === undefined ? metadata : { ...metadata, managedFields },
  };
  return isEqual(next, before) ? before : next;
}

function managed(
  state: StoreState,
  before: KubeObject,
  after: KubeObject,
  { given, by }: { given: Draft; by: By },
) {
  // An apply has computed its own.
  return by.applied === true
    ? given.metadata.managedFields
    : managedAfter(before, after, writerOf(state, by));
}
