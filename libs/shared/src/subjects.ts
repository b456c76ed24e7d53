import type { RolloutOutcome, SourceOutcome } from "./events.ts";

/**
 * Subjects of the event stream:
 *
 *     rollcast.v1.<cluster>.source.<changed|created|deleted>.<kind>.<namespace>.<name>
 *     rollcast.v1.<cluster>.rollout.<outcome>.<kind>.<namespace>.<name>
 *     rollcast.v1.<cluster>.notification.<sent|dead>.<receiver>
 *     rollcast.dlq.v1.<stage>.<reason>
 *
 * Identifiers come last so that a subscriber filters by prefix and wildcard. Kubernetes names may hold dots, which separate tokens:
 * `.` is written `_`, which no Kubernetes name holds, so the encoding is reversible.
 */
export type Subject = string & { readonly __brand: "Subject" };

/** What identifies an object in a cluster. `kind` as Kubernetes spells it (`ConfigMap`). */
export type ObjectRef = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
};

const TOKEN = /^[a-z0-9_-]+$/;
const MAX_TOKEN = 253;

/** A token that must never reach a subject: NATS clients do not check wildcards, blanks or empty tokens. */
export class SubjectError extends Error {
  override name = "SubjectError";
}

/** One subject token of a Kubernetes name; throws {@link SubjectError} where the name is none. */
export function encodeToken(name: string): string {
  if (name.includes("_")) throw new SubjectError(`"${name.slice(0, 80)}" holds "_"`);
  const token = name.toLowerCase().replaceAll(".", "_");
  if (!TOKEN.test(token) || token.length > MAX_TOKEN || token !== name.replaceAll(".", "_")) {
    throw new SubjectError(`"${name.slice(0, 80)}" cannot be a subject token`);
  }
  return token;
}

/** The Kubernetes name behind a token. */
export function decodeToken(token: string): string {
  if (!TOKEN.test(token)) throw new SubjectError(`"${token.slice(0, 80)}" is not a subject token`);
  return token.replaceAll("_", ".");
}

/** The token of a kind: lower case, as in `deployment`. */
export function kindToken(kind: string): string {
  return encodeToken(kind.toLowerCase());
}

function objectTokens(ref: ObjectRef): string {
  return `${kindToken(ref.kind)}.${encodeToken(ref.namespace)}.${encodeToken(ref.name)}`;
}

export function sourceSubject(cluster: string, outcome: SourceOutcome, ref: ObjectRef): Subject {
  return `rollcast.v1.${encodeToken(cluster)}.source.${outcome}.${objectTokens(ref)}` as Subject;
}

export function rolloutSubject(cluster: string, outcome: RolloutOutcome, ref: ObjectRef): Subject {
  return `rollcast.v1.${encodeToken(cluster)}.rollout.${outcome}.${objectTokens(ref)}` as Subject;
}

export function notificationSubject(
  cluster: string,
  outcome: "sent" | "dead",
  receiver: string,
): Subject {
  return `rollcast.v1.${encodeToken(cluster)}.notification.${outcome}.${encodeToken(receiver)}` as Subject;
}

/** Where what cannot be handled goes: `stage` is the service that gave up, `reason` a machine word. */
export function deadLetterSubject(stage: string, reason: string): Subject {
  return `rollcast.dlq.v1.${encodeToken(stage)}.${encodeToken(reason)}` as Subject;
}

/** Key of an object's record in the KV buckets: `<cluster>.<kind>.<namespace>.<name>`, encoded as in subjects. */
export function recordKey(cluster: string, ref: ObjectRef): string {
  return `${encodeToken(cluster)}.${objectTokens(ref)}`;
}

/** Namespace and name behind a record's key, its kind as the token spells it (lower case); undefined where the key is none. */
export function parseRecordKey(
  key: string,
): { cluster: string; kind: string; namespace: string; name: string } | undefined {
  const tokens = key.split(".");
  if (tokens.length !== 4 || !tokens.every((token) => TOKEN.test(token))) return undefined;
  const [cluster, kind, namespace, name] = tokens.map(decodeToken) as [
    string,
    string,
    string,
    string,
  ];
  return { cluster, kind, namespace, name };
}
