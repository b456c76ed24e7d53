/** Part of an object whose fields are read by name and checked where they are used. */
export type Fields = { readonly [field: string]: unknown };

export type OwnerReference = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
};

export type ManagedFields = {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly time: string;
  readonly fieldsType: "FieldsV1";
  readonly fieldsV1: Fields;
};

export type Meta = {
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFields[];
};

/** An object as the API server stores it: frozen, and replaced by every write. */
export type KubeObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Meta;
  readonly spec?: Fields;
  readonly status?: Fields;
  readonly [field: string]: unknown;
};

/** What a client sends: the server fills in the rest. */
export type Draft = Omit<KubeObject, "metadata"> & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Partial<Meta>;
};

/** Which object is meant; a kind has one group and version here. */
export type Ref = { readonly kind: string; readonly namespace?: string; readonly name: string };

export function refOf({ kind, metadata: { namespace, name } }: KubeObject): Ref {
  return { kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

export function keyOf({ kind, namespace, name }: Ref): string {
  return `${kind}/${namespace ?? ""}/${name}`;
}

/** Whether two values have the same JSON; the order of fields does not count. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => isEqual(item, b[i]));
  }
  const left = Object.entries(a).filter(([, value]) => value !== undefined);
  const right = Object.entries(b).filter(([, value]) => value !== undefined);
  if (left.length !== right.length) return false;
  return left.every(([field, value]) => isEqual(value, (b as Fields)[field]));
}

/** JSON with the fields of every object in the order of their names. */
export function canonical(value: unknown, indent?: number): string {
  const sorted = (_: string, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item;
  return JSON.stringify(value, sorted, indent);
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
}
